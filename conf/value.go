package conf

import (
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pelletier/go-toml/v2/unstable"
)

// kind is the type of a key's value.
type kind int

const (
	text     kind = iota // a string
	path                 // a string that names a file
	duration             // a string such as "25s"
	integer
	boolean
	list // an array of strings
)

// hint says how a value of the kind is written.
func (k kind) hint() string {
	switch k {
	case duration:
		return `in quotes and with a unit, such as "25s"`
	case integer:
		return "a whole number without quotes"
	case boolean:
		return "true or false, without quotes"
	case list:
		return `strings in brackets: ["…", "…"]`
	}
	return "a text in quotes"
}

// decoder collects what is wrong with one file while its values are read.
type decoder struct {
	file     string
	dir      string // that relative paths in the file are relative to
	readKey  func(path string) ([]byte, error)
	files    []namedFile // that the file names
	prefixes []ownedPrefix
	errs     Errors
}

// at is the place of a key or value, for errors about it.
type at struct {
	d   *decoder
	key string // such as "tunnel.listen"
	pos position
}

// fail reports a mistake: what is wrong, and what would be right.
func (a at) fail(problem, hint string) {
	a.d.errs = append(a.d.errs, &Error{a.d.file, a.pos.line, a.pos.column, presentable(a.key), presentable(problem), presentable(hint)})
}

// describe names what a value is, for an error about its type. It does not
// show strings: one may be a secret in the wrong place.
func (v value) describe() string {
	switch v.kind {
	case unstable.String:
		return "a string"
	case unstable.Integer:
		return "the integer " + v.text
	case unstable.Float:
		return "the number " + v.text
	case unstable.Bool:
		return "the boolean " + v.text
	case unstable.Array:
		return "an array"
	case unstable.InlineTable:
		return "a table"
	}
	return "the date or time " + v.text
}

// checkType reports a value that is not of the kind. Items of a list that are
// no strings are reported and removed from v.
func (a at) checkType(v *value, k kind) bool {
	scalar := v.kind == unstable.Integer || v.kind == unstable.Float || v.kind == unstable.Bool
	switch k {
	case text, path:
		if v.kind == unstable.String {
			return true
		}
		hint := k.hint()
		if scalar {
			hint = fmt.Sprintf("in quotes: %q", v.text)
		}
		a.fail("is "+v.describe()+", not a string", hint)
	case duration:
		if v.kind == unstable.String {
			return true
		}
		hint := k.hint()
		if v.kind == unstable.Integer {
			hint = fmt.Sprintf(`in quotes and with a unit: "%ss" for seconds`, v.text)
		}
		a.fail("is "+v.describe()+", not a duration", hint)
	case integer:
		if v.kind == unstable.Integer {
			return true
		}
		a.fail("is "+v.describe()+", not an integer", k.hint())
	case boolean:
		if v.kind == unstable.Bool {
			return true
		}
		a.fail("is "+v.describe()+", not a boolean", k.hint())
	case list:
		if v.kind != unstable.Array {
			hint := k.hint()
			if v.kind == unstable.String {
				hint = `in brackets: ["…"]`
			}
			a.fail("is "+v.describe()+", not a list of strings", hint)
			return false
		}
		var good []value
		for _, item := range v.items {
			if a.item(item).checkType(&item, text) {
				good = append(good, item)
			}
		}
		if len(v.items) == 0 {
			a.fail("is an empty list", "it needs one item at least")
		}
		v.items = good
		return len(good) > 0
	}
	return false
}

// item is the place of an item of a list.
func (a at) item(v value) at {
	a.pos = v.pos
	return a
}

// oneOf returns a string that is one of the known ones, else nothing.
func (a at) oneOf(v value, known []string, what string) string {
	if !slices.Contains(known, v.text) {
		a.fail(fmt.Sprintf("%q is not %s", v.text, what), didYouMean(v.text, known))
		return ""
	}
	return v.text
}

// integer returns an integer within [low, high].
func (a at) integer(v value, low, high int64) (int64, bool) {
	n, err := strconv.ParseInt(strings.ReplaceAll(v.text, "_", ""), 0, 64)
	if err != nil || n < low || n > high {
		a.fail(v.text+" is out of range", fmt.Sprintf("from %d to %d", low, high))
		return 0, false
	}
	return n, true
}

// duration returns a duration within [low, high].
func (a at) duration(v value, low, high time.Duration) (time.Duration, bool) {
	d, err := time.ParseDuration(v.text)
	if err != nil {
		hint := `a number with a unit, such as "25s" or "2m"`
		if _, err := strconv.ParseUint(v.text, 10, 64); err == nil {
			hint = fmt.Sprintf(`with a unit: "%ss" for seconds`, v.text)
		}
		a.fail(fmt.Sprintf("%q is not a duration", v.text), hint)
		return 0, false
	}
	if d < low || d > high {
		a.fail(v.text+" is out of range", fmt.Sprintf("from %s to %s", durationText(low), durationText(high)))
		return 0, false
	}
	return d, true
}

// durationText writes 1h instead of 1h0m0s.
func durationText(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// path returns the path of a file, starting from the configuration's folder
// if it is relative.
func (a at) path(v value) (string, bool) {
	switch {
	case v.text == "":
		a.fail("is empty", "the path of a file")
	case looksLikeKey(v.text):
		// It is not repeated: it may be a secret.
		a.fail("is a key, not the name of a file that holds one", "write the key into a file of mode 0600 and name that; if this file could be read by others, make a new key")
	case strings.HasPrefix(v.text, "~"):
		a.fail(fmt.Sprintf("%q begins with a tilde, which only shells replace", v.text), "the whole path")
	case strings.ContainsRune(v.text, 0):
		a.fail("holds a zero byte", "the path of a file")
	case filepath.IsAbs(v.text):
		return filepath.Clean(v.text), true
	default:
		return filepath.Join(a.d.dir, v.text), true
	}
	return "", false
}

func looksLikeKey(s string) bool {
	_, err := parseKey(s)
	return err == nil || isHexKey(s)
}
