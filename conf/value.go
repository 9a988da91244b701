package conf

import (
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// kind is the type of a key's value.
type kind int

const (
	text     kind = iota // a string
	duration             // a string such as "25s"
	integer
	size // an integer, or the word autoSize
	boolean
	list      // an array of strings
	oneOrMore // a string, or an array of them
)

// kinds say what a value of a kind is, and how it is written.
var kinds = [...]struct{ noun, hint string }{
	text:      {"a string", "a text in quotes"},
	duration:  {"a duration", `in quotes and with a unit, such as "25s"`},
	integer:   {"an integer", "a whole number without quotes"},
	size:      {`an integer or "auto"`, `"auto" in quotes, or a whole number without`},
	boolean:   {"a boolean", "true or false, without quotes"},
	list:      {"a list of strings", `strings in brackets: ["…", "…"]`},
	oneOrMore: {"a string or a list of strings", `"…", or ["…", "…"]`},
}

// decoder collects the mistakes of one file while its values are read.
type decoder struct {
	file     string
	dir      string // that relative paths in the file are relative to
	readKey  func(path string) ([]byte, error)
	reads    []namedFile
	writes   []namedFile // and removes
	prefixes []ownedPrefix
	places   []at // of the peers' endpoints
	keys     []at // of their public keys
	uplinks  []at // of tunnel.uplinks
	history  bool // tunnel.history_file is there
	errs     Errors
}

// at is the place of a key or value, for errors about it.
type at struct {
	d   *decoder
	key string // such as "tunnel.listen"
	pos position
}

// fail reports a mistake: a problem, and a hint at the right form.
func (a at) fail(problem, hint string) {
	a.d.errs = append(a.d.errs, &Error{a.d.file, a.pos.line, a.pos.column, presentable(a.key), presentable(problem), presentable(hint)})
}

// describe names the kind of a value, for an error about it. It does not show
// strings: one may be a secret in the wrong place.
func (v value) describe() string {
	switch v.data.(type) {
	case string:
		return "a string"
	case int64:
		return "the integer " + v.text
	case float64:
		return "the number " + v.text
	case bool:
		return "the boolean " + v.text
	case []value:
		return "an array"
	case *table:
		return "a table"
	}
	return "the date or time " + v.text
}

// checkType reports a value that is not of the kind. Items of a list that are
// no strings are reported and removed from v.
func (a at) checkType(v *value, k kind) (ok bool) {
	hint := kinds[k].hint
	switch data := v.data.(type) {
	case string:
		ok = k == text || k == oneOrMore || k == duration || k == size && v.text == autoSize
		if k == list {
			hint = `in brackets: ["…"]`
		}
	case int64, float64, bool:
		_, number := data.(int64)
		_, truth := data.(bool)
		ok = (k == integer || k == size) && number || k == boolean && truth
		if k == text || k == oneOrMore {
			hint = fmt.Sprintf("in quotes: %q", v.text)
		} else if k == duration && number {
			hint = fmt.Sprintf(`in quotes and with a unit: "%ss" for seconds`, v.text)
		}
	case []value:
		if k == list || k == oneOrMore {
			v.data = slices.DeleteFunc(slices.Clone(data), func(item value) bool { return !a.item(item).checkType(&item, text) })
			if len(data) == 0 {
				a.fail("is an empty list", "it needs one item at least")
			}
			return len(v.items()) > 0
		}
	}
	if !ok {
		a.fail("is "+v.describe()+", not "+kinds[k].noun, hint)
	}
	return ok
}

// items returns those of an array.
func (v value) items() []value {
	items, _ := v.data.([]value)
	return items
}

// item is the place of an item of a list.
func (a at) item(v value) at {
	a.pos = v.pos
	return a
}

// setChoice stores a string that is one of the known ones.
func setChoice(into *string, what string, known ...string) func(at, value) {
	return func(a at, v value) {
		if !slices.Contains(known, v.text) {
			a.fail(fmt.Sprintf("%q is not %s", v.text, what), didYouMean(v.text, known))
		} else {
			*into = v.text
		}
	}
}

// setBool stores a boolean.
func setBool(into *bool) func(at, value) {
	return func(_ at, v value) { *into = v.data.(bool) }
}

// setNumber stores an integer within [low, high].
func setNumber[N int | uint32](into *N, low, high int64) func(at, value) {
	return func(a at, v value) {
		n, err := strconv.ParseInt(strings.ReplaceAll(v.text, "_", ""), 0, 64)
		if err != nil || n < low || n > high {
			a.fail(v.text+" is out of range", fmt.Sprintf("from %d to %d", low, high))
		} else {
			*into = N(n)
		}
	}
}

// autoSize is the size that the tunnel chooses.
const autoSize = "auto"

// setSize stores an integer within [low, high], or 0 for autoSize.
func setSize(into *int, low, high int64) func(at, value) {
	number := setNumber(into, low, high)
	return func(a at, v value) {
		if v.text == autoSize {
			*into = 0
			return
		}
		number(a, v)
	}
}

// setDuration stores a duration within [low, high], or zero if that turns it off.
func setDuration(into *time.Duration, low, high time.Duration, off bool) func(at, value) {
	return func(a at, v value) {
		d, err := time.ParseDuration(v.text)
		switch {
		case err != nil:
			hint := `a number with a unit, such as "25s" or "2m"`
			if _, err := strconv.ParseUint(v.text, 10, 64); err == nil {
				hint = fmt.Sprintf(`with a unit: "%ss" for seconds`, v.text)
			}
			a.fail(fmt.Sprintf("%q is not a duration", v.text), hint)
		case (d < low || d > high) && !(off && d == 0):
			a.fail(v.text+" is out of range", fmt.Sprintf("from %s to %s", shortDuration.Replace(low.String()), shortDuration.Replace(high.String())))
		default:
			*into = d
		}
	}
}

var shortDuration = strings.NewReplacer("h0m0s", "h", "m0s", "m")

// path adds a file that a key names to others. It returns its path, starting
// from the configuration's folder if it is relative.
func (a at) path(v value, others *[]namedFile) (file string, ok bool) {
	_, noKey := ParseKey(v.text)
	switch {
	case v.text == "":
		a.fail("is empty", "the path of a file")
	case noKey == nil || isHexKey(v.text):
		// It is not repeated: it may be a secret.
		a.fail("is a key, not the name of a file that holds one", "write the key into a file of mode 0600 and name that; if this file could be read by others, make a new key")
	case strings.HasPrefix(v.text, "~"):
		a.fail(fmt.Sprintf("%q begins with a tilde, which only shells replace", v.text), "the whole path")
	case strings.ContainsRune(v.text, 0):
		a.fail("holds a zero byte", "the path of a file")
	default:
		file = filepath.Clean(v.text)
		if !filepath.IsAbs(file) {
			file = filepath.Join(a.d.dir, file)
		}
		*others = append(*others, namedFile{file, a})
		return file, true
	}
	return "", false
}
