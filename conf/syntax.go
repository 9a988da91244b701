package conf

import (
	"fmt"
	"regexp"
	"strings"
)

// Forms of lines that are not TOML.
var (
	headerName = regexp.MustCompile(`^\[\[?[ \t]*["']?([A-Za-z_][A-Za-z0-9_+/.-]*)`)
	headerLine = regexp.MustCompile(`^[ \t]*\[\[?[ \t]*[A-Za-z_][A-Za-z0-9_.-]*[ \t]*\]`)
	constants  = regexp.MustCompile(`^\[\[?[ \t]*(true|false|inf|nan)\b`) // are no names of tables
	keyLine    = regexp.MustCompile(`^[ \t]*("[^"]*"|'[^']*'|[A-Za-z0-9_.-]+)[ \t]*=[ \t]*(.*)$`)
	wordLine   = regexp.MustCompile(`^["']?([A-Za-z0-9_+/.-]+)`)
	wholeValue = regexp.MustCompile(`^(["'[{]|true\b|false\b)`) // begins with a value, so that only the rest is wrong
	bareKey    = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)
)

const notTOML = "not TOML: "

// Problems that decide about the hint or are replaced by a better one.
const (
	noLineEnd     = notTOML + "expected the end of the line"
	noValue       = notTOML + "expected a value"
	noKey         = notTOML + "expected a key"
	noEquals      = notTOML + "expected '=' after key"
	noText        = notTOML + "bytes that are no text"
	definedBefore = notTOML + "defined already, in another way"
)

// plainMessages replace the library's messages that have these parts: those may
// hold a piece of a secret.
var plainMessages = []struct{ parts, plain string }{
	{"expected a top-level item to end", noLineEnd},
	{"end of table array name", notTOML + "expected ']]' to close array table name"},
	{"to end table name", notTOML + "expected ']' to close table name"},
	{"table names cannot|keys cannot start|key name appears", noKey},
	{"expected '.' or '='|key separator", noEquals},
	{"cannot contain newlines|unexpected EOF; expected ", notTOML + "the string has no end on its line"},
	{"escape|digits after", notTOML + "invalid escape character"},
	{"underscores", notTOML + "number must have at least one digit between underscores"},
	{"leading zeroes", notTOML + "integers cannot have leading zeroes"},
	{"comma", notTOML + "expected a comma or the closing bracket"},
	{"control characters", noText},
	{"already", definedBefore},
}

func plainMessage(message string) string {
	for _, m := range plainMessages {
		if found, _ := regexp.MatchString(m.parts, message); found {
			return m.plain
		}
	}
	return noValue
}

// broken reports a statement that is not TOML. Its key counts as given, and
// what seems to be a header begins a table.
func (r *reader) broken(start int, f *fault) {
	r.partial = true
	pos, first := r.position(start), r.lineAt(start)
	key, hint := "", "below [tunnel] or [[peer]] each line has a key, an equals sign and a value"
	if first[0] == '[' {
		hint = "a table's name stands in brackets, alone on its line: [tunnel], [[peer]]"
		if m := headerName.FindStringSubmatch(first); m != nil {
			key = m[1]
			r.open([]string{key}, first, pos, broken)
		} else {
			r.table = &table{pos: pos, kind: broken}
		}
	} else if m := wordLine.FindStringSubmatch(first); m != nil && strings.Count(m[1], ".") < maxDepth {
		t, name := r.tableOf(r.table, strings.Split(m[1], "."), pos, dotted)
		key, hint = t.qualified(name), syntaxHint(t.name, name, first, f.problem)
		r.add(t, name, pos, value{pos: pos})
		if m := keyLine.FindStringSubmatch(first); m != nil && f.problem == noLineEnd && !wholeValue.MatchString(m[2]) {
			f.problem = noValue
		}
	} else if f.problem == noEquals {
		f.problem = noKey
	}
	if f.hint != "" {
		hint = f.hint
	}
	r.fail(r.position(f.at), key, f.problem, hint)
}

// resume returns the offset of the next line that begins a key or a table.
func (r *reader) resume(start int) int {
	for n := r.position(start).line; n < len(r.starts); n++ {
		if line := r.lineAt(r.starts[n]); keyLine.MatchString(line) || headerLine.MatchString(line) {
			return r.starts[n]
		}
	}
	return len(r.text)
}

// syntaxHint guesses what would be right on a line that begins with a key.
func syntaxHint(table, key, line, problem string) string {
	m, answer := keyLine.FindStringSubmatch(line), counterparts()[plainWord(key)]
	switch {
	case m == nil:
		return "a key, an equals sign and a value"
	case answer != "":
		return answer
	case m[2] == "" || m[2][0] == '#':
		return "the value is missing"
	case problem == noLineEnd && wholeValue.MatchString(m[2]):
		return "only a comment may follow the value on its line"
	case strings.ContainsAny(m[2][:1], `"'`):
		return `a string ends on its line; inside it \ and " are written \\ and \"`
	case strings.ContainsAny(m[2][:1], `[{`):
		return "items are separated by commas, strings stand in quotes"
	}
	own, _, _ := fieldsOf(table)
	if f := fieldNamed(own, key); f != nil && (f.kind == boolean || f.kind == integer || f.kind == size) {
		return kinds[f.kind].hint
	} else if f != nil && f.kind == list {
		return fmt.Sprintf("put each item in quotes, all in brackets: %s = [\"…\"]", key)
	}
	return fmt.Sprintf("put the value in quotes: %s = \"…\"", key)
}
