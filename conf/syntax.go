package conf

import (
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"
)

// What lines seem to be, where the parser cannot tell.
var (
	headerLine = regexp.MustCompile(`^[ \t]*(\[\[?)[ \t]*["']?([A-Za-z_][A-Za-z0-9_.-]*)`)
	keyLine    = regexp.MustCompile(`^[ \t]*["']?([A-Za-z0-9_.-]+)["']?[ \t]*=[ \t]*(.*)$`)
	wordLine   = regexp.MustCompile(`^[ \t]*["']?([A-Za-z0-9_-]+)`)
	wholeValue = regexp.MustCompile(`^(["'[{]|true\b|false\b)`) // the beginning of what is one if the parser expects no more
	blankLine  = regexp.MustCompile(`^[ \t]*(#.*)?$`)
)

// plainMessages say what the parser's say with a character of the file in
// them, which may be part of a secret, or with a guess of what was meant.
var plainMessages = []struct{ prefix, plain string }{
	{"expected newline but got", "expected the end of the line"},
	{"unexpected character", "expected a value"},
	{"expected value but got", "expected a value"},
	{"expected keyword", "expected a value"},
	{"invalid character at start of key", "expected a key"},
	{"invalid escape character", "invalid escape character"},
	{"expected digit but got", "expected a digit"},
}

func plainMessage(message string) string {
	for _, m := range plainMessages {
		if strings.HasPrefix(message, m.prefix) {
			return m.plain
		}
	}
	return message
}

// resume reports a mistake of syntax and returns the offset of the next line
// that begins a key or a table. from is the line of the last good expression
// before it (if there is one) or else the first line that was read; at is
// where the parser gave up.
func (r *reader) resume(from int, at position, good bool, message string) int {
	r.doc.partial = true
	start := from
	if good {
		start++
	}
	for start < at.line && blankLine.MatchString(r.line(start)) {
		start++
	}
	start = min(start, at.line)

	first := r.line(start)
	key, problem, hint := "", "not TOML: "+plainMessage(message), "below [tunnel] or [[peer]] each line has a key, an equals sign and a value"
	if strings.HasPrefix(strings.TrimLeft(first, " \t"), "[") {
		t := &table{broken: true, pos: position{start, 1}}
		if m := headerLine.FindStringSubmatch(first); m != nil {
			t.name, t.array = m[2], m[1] == "[["
		}
		r.doc.tables = append(r.doc.tables, t)
		key, hint = t.name, "a table's name stands in brackets, alone on its line: [tunnel], [[peer]]"
	} else if m := wordLine.FindStringSubmatch(first); m != nil {
		pos := position{start, strings.Index(first, m[1]) + 1}
		key = r.current().qualified(m[1])
		r.add(m[1], pos, value{pos: pos})
		hint = r.syntaxHint(first, message)
	}
	if line := r.line(at.line); !utf8.ValidString(line) || strings.ContainsRune(line, 0) {
		hint = "the file must be plain text in UTF-8"
	}
	if start < at.line && (keyLine.MatchString(r.line(at.line)) || r.position(len(r.data)).line == at.line) {
		// It is the beginning that shows what is not closed.
		problem = "not TOML: the value has no end"
		hint = `is there a missing ", ] or } ?`
		at = position{start, 1}
	}
	r.fail(at, key, problem, hint)

	for n := start + 1; n <= len(r.starts); n++ {
		if line := r.line(n); keyLine.MatchString(line) || headerLine.MatchString(line) {
			return r.starts[n-1]
		}
	}
	return len(r.data)
}

// syntaxHint guesses what would be right on a line that begins with a word.
func (r *reader) syntaxHint(line, message string) string {
	m := keyLine.FindStringSubmatch(line)
	switch {
	case m == nil:
		return "a key, an equals sign and a value"
	case m[2] == "" || m[2][0] == '#':
		return "the value is missing"
	case strings.HasPrefix(message, "expected newline") && wholeValue.MatchString(m[2]):
		return "only a comment may follow the value on its line"
	case strings.ContainsAny(m[2][:1], `"'`):
		return "a string ends on its line; inside of it \\ and \" are written \\\\ and \\\""
	case strings.ContainsAny(m[2][:1], `[{`):
		return "items are separated by commas, strings stand in quotes"
	}
	switch kindOf(r.current().name, m[1]) {
	case boolean:
		return boolean.hint()
	case integer:
		return integer.hint()
	}
	return fmt.Sprintf("put the value in quotes: %s = \"…\"", m[1])
}
