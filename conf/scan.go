package conf

import "strings"

// scanner finds where the parts of a TOML document stand, which the library
// does not tell. It looks for ends alone and leaves it to the library whether
// what is between them is TOML. Each step moves on or gives up, so the work is
// linear in the text, and nothing nests deeper than maxDepth.
type scanner struct {
	text string
	i    int // offset of what comes next
	// fault is what the library cannot say of the statement; nil if there is none.
	fault *fault
}

// fault is a mistake of syntax.
type fault struct {
	at            int // offset
	problem, hint string
}

// maxDepth bounds the parts of a key and the nesting of a value, because the
// library takes quadratic time, or much stack, for what is deep. A
// configuration needs three.
const maxDepth = 32

// pair is a key and its value, or a header, which has no value.
type pair struct {
	header bool
	start  int // offset of the key, or of the header's bracket
	parts  int // of the dotted key
	value  span
}

// span is a value: it ends before end, and holds items or pairs.
type span struct {
	start, end int
	items      []span // of an array
	pairs      []pair // of an inline table
}

// blank passes over space and comments.
func (s *scanner) blank() {
	for s.i < len(s.text) {
		switch s.text[s.i] {
		case ' ', '\t', '\r', '\n':
			s.i++
		case '#':
			s.line()
		default:
			return
		}
	}
}

// line passes over the rest of a line.
func (s *scanner) line() {
	if n := strings.IndexByte(s.text[s.i:], '\n'); n >= 0 {
		s.i += n + 1
	} else {
		s.i = len(s.text)
	}
}

// statement passes over the lines of a header or of a key and its value. It
// is not ok if the end is a guess.
func (s *scanner) statement() (p pair, ok bool) {
	s.fault = nil
	if s.text[s.i] == '[' {
		p.header, p.start = true, s.i
		s.i += len(brackets(s.text[s.i:]))
		p.parts, ok = s.key(']')
	} else {
		p, ok = s.pair(0)
	}
	s.line()
	return p, ok
}

// brackets returns those that a header begins with.
func brackets(header string) string {
	if strings.HasPrefix(header, "[[") {
		return "[["
	}
	return "["
}

func (s *scanner) pair(depth int) (p pair, ok bool) {
	p.start = s.i
	if p.parts, ok = s.key('='); !ok {
		return p, false
	}
	for s.i < len(s.text) && (s.text[s.i] == ' ' || s.text[s.i] == '\t') {
		s.i++
	}
	p.value, ok = s.value(depth)
	return p, ok
}

// key passes over a dotted key and the character that ends it.
func (s *scanner) key(end byte) (parts int, ok bool) {
	for parts = 1; s.i < len(s.text) && s.text[s.i] != '\n'; {
		switch c := s.text[s.i]; c {
		case end:
			s.i++
			return parts, parts <= maxDepth || s.tooDeep()
		case '"', '\'':
			if !s.quoted() {
				return parts, false
			}
		case '.':
			parts++
			fallthrough
		default:
			s.i++
		}
	}
	return parts, false
}

func (s *scanner) tooDeep() bool {
	s.fault = &fault{s.i, "is nested too deeply", "no key of Fathom is below more than one table"}
	return false
}

func (s *scanner) value(depth int) (v span, ok bool) {
	v.start = s.i
	rest := s.text[s.i:]
	switch {
	case rest == "":
	case rest[0] == '"' || rest[0] == '\'':
		ok = s.quoted()
	case rest[0] == '[' || rest[0] == '{':
		ok = s.bracketed(&v, depth+1)
	default: // a number, a date or a boolean
		n := strings.IndexAny(rest, ",]}#\r\n")
		if n < 0 {
			n = len(rest)
		}
		s.i += n
		v.end = v.start + len(strings.TrimRight(rest[:n], " \t"))
		return v, n > 0
	}
	v.end = s.i
	return v, ok
}

// bracketed passes over an array or an inline table. Commas are not counted:
// the library knows where they belong.
func (s *scanner) bracketed(v *span, depth int) (ok bool) {
	if depth > maxDepth {
		return s.tooDeep()
	}
	array := s.text[s.i] == '['
	s.i++
	for {
		from := s.i
		for s.blank(); s.i < len(s.text) && s.text[s.i] == ','; s.blank() {
			s.i++
		}
		newLine := strings.IndexByte(s.text[from:s.i], '\n') >= 0
		switch rest := s.text[s.i:]; {
		case rest == "" || newLine && beginsStatement(rest, array):
			s.noEnd(v.start)
			return false
		case array && rest[0] == ']', !array && rest[0] == '}':
			s.i++
			return true
		case array:
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

// beginsStatement reports whether a line cannot belong to an array, or to an
// inline table: it is a header of names or, in an array, has a key.
func beginsStatement(rest string, array bool) bool {
	line, _, _ := strings.Cut(rest, "\n")
	return headerLine.MatchString(line) && !constants.MatchString(line) || array && keyLine.MatchString(line)
}

// noEnd blames the place where something begins for what follows.
func (s *scanner) noEnd(start int) {
	s.fault = &fault{start, notTOML + "the value has no end", `is there a missing ", ] or } ?`}
}

// quoted passes over a string or a quoted key.
func (s *scanner) quoted() (ok bool) {
	start, mark := s.i, s.text[s.i:s.i+1]
	if triple := strings.Repeat(mark, 3); strings.HasPrefix(s.text[s.i:], triple) {
		mark = triple
	}
	s.i += len(mark)
	for s.i < len(s.text) {
		switch rest := s.text[s.i:]; {
		case strings.HasPrefix(rest, mark):
			s.i += len(mark)
			for n := 0; n < 2 && len(mark) == 3 && strings.HasPrefix(s.text[s.i:], mark[:1]); n++ {
				s.i++ // quotes may stand before the closing ones
			}
			return true
		case rest[0] == '\n' && len(mark) == 1:
			return false
		case rest[0] == '\\' && mark[0] == '"' && len(rest) > 1 && rest[1] != '\n':
			s.i += 2
		default:
			s.i++
		}
	}
	if len(mark) == 3 {
		s.noEnd(start)
	}
	return false
}
