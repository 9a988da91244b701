package conf

import (
	"bytes"
	"errors"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/BurntSushi/toml"
)

// table is a table of TOML, however it is written.
type table struct {
	name    string // as errors call it: with the names of those around it
	pos     position
	kind    tableKind
	entries []entry
	index   map[string]int // of the first entry of a key
}

// tableKind is how a table is written, which decides about what may add to it.
type tableKind int

const (
	inline   tableKind = iota // { … }, or the one that is the file
	dotted                    // by a part of a dotted key
	implicit                  // by a part of the header of another
	header                    // [name] or [[name]]
	broken                    // a header that could not be read; the name is a guess
)

// entry is a key and its value.
type entry struct {
	key   string
	pos   position
	value value
}

// value is a TOML value.
type value struct {
	pos  position
	data any    // string, int64, float64, bool, time.Time, []value or *table; nil if it could not be read
	text string // of a string; of a number, date or boolean as it is written
}

// position is a place in a file.
type position struct{ line, column int } // from 1; the column in bytes

// entry returns the table's first entry of a key, nil if it has none.
func (t *table) entry(key string) *entry {
	if i, ok := t.index[key]; ok {
		return &t.entries[i]
	}
	return nil
}

func (t *table) add(key string, pos position, v value) {
	if t.index == nil {
		t.index = make(map[string]int)
	}
	if _, ok := t.index[key]; !ok {
		t.index[key] = len(t.entries)
	}
	t.entries = append(t.entries, entry{key, pos, v})
}

// qualified returns a key as errors call it. A part that could be taken for
// several is quoted.
func (t *table) qualified(key string) string {
	if !bareKey.MatchString(key) {
		key = strconv.Quote(key)
	}
	if t.name == "" {
		return key
	}
	return t.name + "." + key
}

// reader turns the text of a file into a document, statement by statement, so
// that a mistake in one does not hide the others. What the library reads in a
// statement is joined with the places that the scanner has found in it.
type reader struct {
	scanner
	starts      []int // offset of each line
	root, table *table
	keys        []toml.Key // of the statement, those that have not been joined
	odd         bool       // the library and the scanner disagree about the statement
	failed      bool       // the library's judgment of the whole would add nothing
	partial     bool       // some of the file could not be read
	report      func(pos position, key, problem, hint string)
}

// maxSyntaxErrors bounds the work on something that is no TOML at all.
const maxSyntaxErrors = 20

// byteOrderMark is what some editors begin UTF-8 with. It says nothing, and
// lines and columns are counted without it.
var byteOrderMark = []byte("\xef\xbb\xbf")

// parseDocument returns a TOML file as a tree, with the place of everything in
// it, and whether some of it could not be read. It calls report for every
// mistake of syntax.
func parseDocument(data []byte, report func(pos position, key, problem, hint string)) (root *table, partial bool) {
	r := &reader{scanner: scanner{text: string(bytes.TrimPrefix(data, byteOrderMark))}, starts: []int{0}, report: report}
	for i := range len(r.text) {
		if r.text[i] == '\n' {
			r.starts = append(r.starts, i+1)
		}
	}
	r.root = &table{pos: position{1, 1}}
	r.table = r.root
	r.take(blanks)
	for n := 0; n < maxSyntaxErrors && r.i < len(r.text); r.take(blanks) {
		if !r.join() {
			n++
		}
	}
	// The library judges whether statements go together, and the text between
	// them. The newline keeps it from dropping a second byte order mark.
	if !r.failed {
		if _, f := r.decode("\n"+r.text, -1); f != nil {
			r.fail(r.position(f.at), "", f.problem, f.hint)
		}
	}
	return r.root, r.partial
}

func (r *reader) fail(pos position, key, problem, hint string) {
	if problem == noText {
		hint = "the file must be plain text in UTF-8"
	}
	r.failed = true
	r.report(pos, key, problem, hint)
}

// again reports a key or table that is there already.
func (r *reader) again(pos position, key, problem string, first *entry) {
	r.fail(pos, key, problem, "the first is on line "+strconv.Itoa(first.pos.line))
}

// join reads one statement and puts it into the document. Where its end is a
// guess, the next one is on the next line that looks like it.
func (r *reader) join() (ok bool) {
	s, whole := r.statement()
	f, end := r.fault, r.i
	if !whole {
		r.i = r.resume(s.key)
	}
	var data map[string]any
	if f == nil {
		data, f = r.decode(r.text[s.key:end], s.key)
	}
	if f == nil {
		r.odd = !whole
		if r.text[s.key] != '[' {
			r.joinPair(r.table, 0, s, data)
		} else if names := r.names(0); !r.odd {
			r.open(names, r.text[s.key:], r.position(s.key), header)
		}
		if r.odd || len(r.keys) > 0 {
			f = &fault{at: s.key, problem: noValue}
		}
	}
	if f != nil {
		r.broken(s.key, f)
	}
	return f == nil
}

// decode lets the library read a part of the file, from offset on.
func (r *reader) decode(text string, offset int) (data map[string]any, f *fault) {
	for i, c := range text {
		// A byte that is no UTF-8 reads as U+FFFD, which a text may also hold.
		if c == 0 || c == utf8.RuneError && !strings.HasPrefix(text[i:], string(utf8.RuneError)) {
			return nil, &fault{offset + i, noText, ""}
		}
	}
	md, err := toml.Decode(text, &data)
	var syntax toml.ParseError
	for range maxSyntaxErrors {
		if !errors.As(err, &syntax) || !strings.Contains(syntax.Message, "is out of range for int64") {
			break
		}
		// No key has such a number, so it is refused with the key's own range.
		data = nil
		at, zero := syntax.Position, "0"+strings.Repeat(" ", syntax.Position.Len-1)
		text = text[:at.Start] + zero + text[at.Start+at.Len:]
		md, err = toml.Decode(text, &data)
	}
	r.keys = md.Keys()
	if errors.As(err, &syntax) {
		at := max(0, offset+min(syntax.Position.Start, len(text)-1))
		return nil, &fault{at, plainMessage(syntax.Message), ""}
	}
	return data, nil
}

// joinPair puts a key and its value into a table. around is the number of
// names in the statement that lead to the table.
func (r *reader) joinPair(t *table, around int, s span, data map[string]any) {
	names := r.names(around)
	var v any = data
	for _, name := range names {
		inner, _ := v.(map[string]any)
		v = inner[name]
	}
	if r.odd = r.odd || v == nil; !r.odd {
		pos := r.position(s.key)
		t, key := r.tableOf(t, names, pos, dotted)
		r.add(t, key, pos, r.joinValue(t.qualified(key), around+len(names), s, v))
	}
}

// names returns the next key of the statement as the library has read it,
// without the names around it.
func (r *reader) names(around int) (names []string) {
	if r.odd = r.odd || len(r.keys) == 0 || len(r.keys[0]) <= around; !r.odd {
		names, r.keys = r.keys[0][around:], r.keys[1:]
	}
	return names
}

// joinValue joins a value and its place. name is what errors call it.
func (r *reader) joinValue(name string, around int, s span, data any) value {
	v := value{r.position(s.start), data, r.text[s.start:s.end]}
	switch data := data.(type) {
	case string:
		v.text = data
	case []any:
		items := make([]value, len(data))
		r.odd = r.odd || len(s.inside) != len(data)
		for i := 0; i < len(data) && !r.odd; i++ {
			items[i] = r.joinValue(name, around, s.inside[i], data[i])
		}
		v.data = items
	case map[string]any:
		t := &table{name: name, pos: v.pos}
		for _, pair := range s.inside {
			r.joinPair(t, around, pair, data)
		}
		v.data = t
	}
	return v
}

// add adds a key to a table, once.
func (r *reader) add(t *table, key string, pos position, v value) {
	if first := t.entry(key); first != nil {
		r.again(pos, t.qualified(key), "comes twice in this table", first)
		return
	}
	t.add(key, pos, v)
}

// open begins the table of a header, which stands at the beginning of text. A
// table that is there already is reported and begun again, to be judged, too.
func (r *reader) open(names []string, text string, pos position, kind tableKind) {
	parent, key := r.tableOf(r.root, names, pos, implicit)
	e, array := parent.entry(key), strings.HasPrefix(text, "[[")
	r.table = &table{name: parent.qualified(key), pos: pos, kind: kind}
	v := value{pos: pos, data: r.table}
	if e != nil {
		there, _ := e.value.data.(*table)
		switch list := e.value.items(); {
		case array && len(list) > 0:
			e.value.data = append(list, v)
			return
		case array:
			r.again(pos, r.table.name, definedBefore, e)
		case there != nil && there.kind == implicit:
			there.kind, there.pos, e.pos, r.table = kind, pos, pos, there
			return
		case kind != broken || len(list) == 0:
			r.again(pos, r.table.name, "["+r.table.name+"] comes twice", e)
		}
	}
	if array {
		v.data = []value{v}
	}
	parent.add(key, pos, v)
}

// tableOf returns the table in which the last part of a dotted key or of a
// header belongs, and that part. It makes tables of that kind on the way.
func (r *reader) tableOf(t *table, names []string, pos position, kind tableKind) (*table, string) {
	for _, name := range names[:len(names)-1] {
		made := &table{name: t.qualified(name), pos: pos, kind: kind}
		e := t.entry(name)
		if e == nil {
			t.add(name, pos, value{pos: pos, data: made})
			t = made
			continue
		}
		v := e.value
		if list := v.items(); len(list) > 0 && kind == implicit {
			v = list[len(list)-1]
		}
		there, _ := v.data.(*table)
		if there == nil || there.kind == inline || kind == dotted && there.kind == header {
			if there = made; v.data != nil { // else reported already
				r.again(pos, made.name, definedBefore, e)
			}
		}
		t = there
	}
	return t, names[len(names)-1]
}

// position tells the place of an offset.
func (r *reader) position(offset int) position {
	line, _ := slices.BinarySearch(r.starts, offset+1)
	return position{line, offset - r.starts[line-1] + 1}
}

// lineAt returns the rest of the line at an offset.
func (r *reader) lineAt(offset int) string {
	line, _, _ := strings.Cut(r.text[offset:], "\n")
	return strings.TrimSuffix(line, "\r")
}
