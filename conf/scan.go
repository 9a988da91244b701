package conf

import (
	"regexp"
	"strings"
)

// scanner finds the places of the parts of a TOML document, which the library
// does not tell. It looks for ends only, and the library judges the text between
// them. Each step moves on or gives up, so the work is linear in the text.
type scanner struct {
	text  string
	i     int    // offset of what comes next
	fault *fault // of the statement, where the library cannot tell; nil: none
}

// fault is a mistake of syntax.
type fault struct {
	at            int // offset
	problem, hint string
}

// maxDepth bounds the parts of a key and the nesting of a value: the library's
// time is quadratic in both. A configuration needs three.
const maxDepth = 32

// span is a value and its key, by their offsets. An item of an array has no
// key, a header no value.
type span struct {
	key, start, end int
	inside          []span // items of an array, or keys of an inline table
}

// The parts of TOML, each at the beginning of a text.
var (
	spaces     = regexp.MustCompile(`^[ \t]*`)
	blanks     = regexp.MustCompile(`^(?:[ \t\r\n]|#[^\n]*)*`)
	between    = regexp.MustCompile(`^(?:[ \t\r\n,]|#[^\n]*)*`)
	restOfLine = regexp.MustCompile(`^[^\n]*\n?`)
	dottedKey  = regexp.MustCompile(`^(?:[^"'=\]\n]|"(?:[^"\\\n]|\\[^\n])*"|'[^'\n]*')+`)
	text3      = regexp.MustCompile(`^(?s:"""(?:[^\\]|\\.)*?"{3,5}|'''.*?'{3,5})`)
	text1      = regexp.MustCompile(`^(?:"(?:[^"\\\n]|\\[^\n])*"|'[^'\n]*')`)
	bareValue  = regexp.MustCompile(`^[^,\]}#\r\n]+`)
	openers    = regexp.MustCompile(`^\[\[?`)
)

// take passes over what matches and returns it, empty if nothing does.
func (s *scanner) take(what *regexp.Regexp) string {
	found := what.FindString(s.text[s.i:])
	s.i += len(found)
	return found
}

// takeByte passes over one character.
func (s *scanner) takeByte(c byte) (ok bool) {
	if ok = s.i < len(s.text) && s.text[s.i] == c; ok {
		s.i++
	}
	return ok
}

// statement passes over the lines of a header or of a key and its value. It
// is not ok if the end is a guess.
func (s *scanner) statement() (v span, ok bool) {
	v.key, s.fault = s.i, nil
	if s.take(openers) != "" {
		ok = s.part(']')
	} else {
		v, ok = s.pair(0)
	}
	s.take(restOfLine)
	return v, ok
}

// part passes over a dotted key and the character that ends it.
func (s *scanner) part(end byte) (ok bool) {
	return s.within(strings.Count(s.take(dottedKey), ".")) && s.takeByte(end)
}

// within reports whether a depth is below the bound.
func (s *scanner) within(depth int) (ok bool) {
	return depth < maxDepth || s.fails(s.i, "is nested too deeply", "no key of Fathom is below more than one table")
}

func (s *scanner) fails(at int, problem, hint string) (ok bool) {
	s.fault = &fault{at, problem, hint}
	return false
}

func (s *scanner) pair(depth int) (v span, ok bool) {
	key := s.i
	if ok = s.part('='); ok {
		s.take(spaces)
		v, ok = s.value(depth)
	}
	v.key = key
	return v, ok
}

func (s *scanner) value(depth int) (v span, ok bool) {
	v.start = s.i
	switch rest := s.text[s.i:]; {
	case strings.HasPrefix(rest, `"""`), strings.HasPrefix(rest, `'''`):
		ok = s.take(text3) != "" || s.noEnd(v)
	case strings.HasPrefix(rest, `"`), strings.HasPrefix(rest, `'`):
		ok = s.take(text1) != ""
	case s.takeByte('['):
		ok = s.within(depth) && s.bracketed(&v, ']', depth+1)
	case s.takeByte('{'):
		ok = s.within(depth) && s.bracketed(&v, '}', depth+1)
	default: // a number, a date or a boolean
		bare := s.take(bareValue)
		v.end = v.start + len(strings.TrimRight(bare, " \t"))
		return v, bare != ""
	}
	v.end = s.i
	return v, ok
}

// bracketed passes over the rest of an array or an inline table. Commas are not
// counted: the library knows where they belong. A line that can only be a
// header or, in an array, have a key, shows that the end is missing.
func (s *scanner) bracketed(v *span, end byte, depth int) (ok bool) {
	for {
		line := ""
		if strings.Contains(s.take(between), "\n") {
			line, _, _ = strings.Cut(s.text[s.i:], "\n")
		}
		header := headerLine.MatchString(line) && !constants.MatchString(line)
		if s.i == len(s.text) || header || end == ']' && keyLine.MatchString(line) {
			return s.noEnd(*v)
		} else if s.takeByte(end) {
			return true
		}
		inside, next := s.pair, span{}
		if end == ']' {
			inside = s.value
		}
		if next, ok = inside(depth); !ok {
			return false
		}
		v.inside = append(v.inside, next)
	}
}

// noEnd blames the place where a value begins for what follows.
func (s *scanner) noEnd(v span) (ok bool) {
	return s.fails(v.start, notTOML+"the value has no end", "a closing quote, ] or } is missing")
}
