package conf

import (
	"regexp"
	"strings"
)

// scanner finds where the parts of a TOML document stand, which the library
// does not tell. It looks for ends alone and leaves it to the library whether
// what is between them is TOML. Each step moves on or gives up, so the work is
// linear in the text.
type scanner struct {
	text  string
	i     int    // offset of what comes next
	fault *fault // what the library cannot say of the statement; nil: nothing
}

// fault is a mistake of syntax.
type fault struct {
	at            int // offset
	problem, hint string
}

// maxDepth bounds the parts of a key and the nesting of a value: the library
// takes quadratic time for what is deep. A configuration needs three.
const maxDepth = 32

// pair is a key and its value, or a header, which has no value.
type pair struct {
	start int // offset of the key, or of the header's first bracket
	value span
}

// span is a value, and the items or pairs in it.
type span struct {
	start, end int
	items      []span // of an array
	pairs      []pair // of an inline table
}

// The parts of TOML, each at the beginning of a text.
var (
	blanks    = regexp.MustCompile(`^(?:[ \t\r\n]|#[^\n]*)*`)
	between   = regexp.MustCompile(`^(?:[ \t\r\n,]|#[^\n]*)*`)
	keyPart   = regexp.MustCompile(`^(?:[^"'=\]\n]|"(?:[^"\\\n]|\\[^\n])*"|'[^'\n]*')+`)
	text3     = regexp.MustCompile(`^(?s:"""(?:[^\\]|\\.)*?"{3,5}|'''.*?'{3,5})`)
	text1     = regexp.MustCompile(`^(?:"(?:[^"\\\n]|\\[^\n])*"|'[^'\n]*')`)
	bareValue = regexp.MustCompile(`^[^,\]}#\r\n]+`)
	openers   = regexp.MustCompile(`^\[\[?`)
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
func (s *scanner) statement() (p pair, ok bool) {
	s.fault = nil
	p.start = s.i
	if s.take(openers) != "" {
		ok = s.key(']')
	} else {
		p, ok = s.pair(0)
	}
	if n := strings.IndexByte(s.text[s.i:], '\n'); n >= 0 {
		s.i += n + 1
	} else {
		s.i = len(s.text)
	}
	return p, ok
}

// key passes over a dotted key and the character that ends it.
func (s *scanner) key(end byte) (ok bool) {
	if strings.Count(s.take(keyPart), ".") >= maxDepth {
		return s.fails(s.i, "is nested too deeply", "no key of Fathom is below more than one table")
	}
	return s.takeByte(end)
}

func (s *scanner) fails(at int, problem, hint string) (ok bool) {
	s.fault = &fault{at, problem, hint}
	return false
}

func (s *scanner) pair(depth int) (p pair, ok bool) {
	p.start = s.i
	if ok = s.key('='); ok {
		for s.takeByte(' ') || s.takeByte('\t') {
		}
		p.value, ok = s.value(depth)
	}
	return p, ok
}

func (s *scanner) value(depth int) (v span, ok bool) {
	v.start = s.i
	switch rest := s.text[s.i:]; {
	case strings.HasPrefix(rest, `"""`), strings.HasPrefix(rest, `'''`):
		ok = s.take(text3) != "" || s.noEnd(v)
	case strings.HasPrefix(rest, `"`), strings.HasPrefix(rest, `'`):
		ok = s.take(text1) != ""
	case s.takeByte('['):
		ok = s.bracketed(&v, ']', depth+1)
	case s.takeByte('{'):
		ok = s.bracketed(&v, '}', depth+1)
	default: // a number, a date or a boolean
		bare := s.take(bareValue)
		v.end = v.start + len(strings.TrimRight(bare, " \t"))
		return v, bare != ""
	}
	v.end = s.i
	return v, ok
}

// bracketed passes over the rest of an array or an inline table. Commas are not
// counted: the library knows where they belong.
func (s *scanner) bracketed(v *span, end byte, depth int) (ok bool) {
	if depth > maxDepth {
		return s.fails(s.i, "is nested too deeply", "no key of Fathom is below more than one table")
	}
	for {
		line := ""
		if strings.Contains(s.take(between), "\n") {
			line, _, _ = strings.Cut(s.text[s.i:], "\n")
		}
		switch header := headerLine.MatchString(line) && !constants.MatchString(line); {
		case s.i == len(s.text), header, end == ']' && keyLine.MatchString(line):
			return s.noEnd(*v)
		case s.takeByte(end):
			return true
		case end == ']':
			item, ok := s.value(depth)
			if v.items = append(v.items, item); !ok {
				return false
			}
		default:
			p, ok := s.pair(depth)
			if v.pairs = append(v.pairs, p); !ok {
				return false
			}
		}
	}
}

// noEnd blames the place where a value begins for what follows.
func (s *scanner) noEnd(v span) (ok bool) {
	return s.fails(v.start, notTOML+"the value has no end", `is there a missing ", ] or } ?`)
}
