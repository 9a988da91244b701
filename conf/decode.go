package conf

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/pelletier/go-toml/v2/unstable"
)

// decoder collects the mistakes of one file while its values are read.
type decoder struct {
	file    string
	dir     string // that relative paths in the file are relative to
	readKey func(path string) (SecretKey, *Error)
	errs    Errors
}

// at is the place of a key, for errors about its value.
type at struct {
	d    *decoder
	key  string // "tunnel.listen"
	line int
}

func (a at) fail(hint, problem string, args ...any) {
	a.d.errs = append(a.d.errs, &Error{a.d.file, a.line, a.key, fmt.Sprintf(problem, args...), hint})
}

// str returns a string value.
func (a at) str(v value) (string, bool) {
	if v.kind != unstable.String {
		a.fail("put it in quotes", "want a string, not %s", v.describe())
		return "", false
	}
	return v.text, true
}

func (a at) boolean(v value) (bool, bool) {
	if v.kind != unstable.Bool {
		a.fail("write true or false, without quotes", "want a boolean, not %s", v.describe())
		return false, false
	}
	return v.yes, true
}

// integer returns an integer within [low, high].
func (a at) integer(v value, low, high int64) (int64, bool) {
	if v.kind != unstable.Integer {
		a.fail("write a number without quotes", "want an integer, not %s", v.describe())
		return 0, false
	}
	n, err := strconv.ParseInt(strings.ReplaceAll(v.text, "_", ""), 0, 64)
	if err != nil {
		n = math.MinInt64 // out of every range
	}
	if n < low || n > high {
		a.fail(fmt.Sprintf("from %d to %d", low, high), "%s is out of range", v.text)
		return 0, false
	}
	return n, true
}

// duration returns a duration within [low, high].
func (a at) duration(v value, low, high time.Duration) (time.Duration, bool) {
	const hint = `a number with a unit, such as "25s" or "2m"`
	if v.kind != unstable.String {
		a.fail(hint, "want a duration in quotes, not %s", v.describe())
		return 0, false
	}
	d, err := time.ParseDuration(v.text)
	if err != nil {
		a.fail(hint, "%q is no duration", v.text)
		return 0, false
	}
	if d < low || d > high {
		a.fail(fmt.Sprintf("from %s to %s", low, high), "%s is out of range", v.text)
		return 0, false
	}
	return d, true
}

// list calls f for each string of an array, with the item's line.
func (a at) list(v value, f func(at, string)) {
	if v.kind != unstable.Array {
		a.fail(`a list in brackets, such as ["…"]`, "want an array of strings, not %s", v.describe())
		return
	}
	for _, item := range v.items {
		place := a
		place.line = item.line
		if s, ok := place.str(item); ok {
			f(place, s)
		}
	}
}
