package conf

import (
	"fmt"
	"regexp"
	"strings"
)

// What lines seem to be, where the parser cannot tell.
var (
	headerLine = regexp.MustCompile(`^[ \t]*(\[\[?)[ \t]*["']?([A-Za-z_][A-Za-z0-9_.-]*)`)
	keyLine    = regexp.MustCompile(`^[ \t]*["']?([A-Za-z0-9_.-]+)["']?[ \t]*=[ \t]*(.*)$`)
	wordLine   = regexp.MustCompile(`^[ \t]*["']?([A-Za-z0-9_-]+)`)
	blankLine  = regexp.MustCompile(`^[ \t]*(#.*)?$`)
)

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
	key, problem, hint := "", "not TOML: "+message, ""
	if m := headerLine.FindStringSubmatch(first); m != nil {
		r.doc.tables = append(r.doc.tables, &table{name: m[2], array: m[1] == "[[", broken: true, pos: position{start, 1}})
		key, hint = m[2], "a table's name stands in brackets, alone on its line: [tunnel], [[peer]]"
	} else if m := wordLine.FindStringSubmatch(first); m != nil {
		pos := position{start, strings.Index(first, m[1]) + 1}
		key = r.current().qualified(m[1])
		r.add(m[1], pos, value{pos: pos})
		hint = syntaxHint(first)
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
func syntaxHint(line string) string {
	m := keyLine.FindStringSubmatch(line)
	switch {
	case m == nil:
		return "a key, an equals sign and a value"
	case m[2] == "" || m[2][0] == '#':
		return "the value is missing"
	case strings.ContainsAny(m[2][:1], `"'`):
		return "a string ends on its line; inside of it \\ and \" are written \\\\ and \\\""
	case strings.ContainsAny(m[2][:1], `[{`):
		return "items are separated by commas, strings stand in quotes"
	}
	return fmt.Sprintf("put the value in quotes: %s = \"…\"", m[1])
}
