package conf

import (
	"bytes"
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/pelletier/go-toml/v2/unstable"
)

// document is a TOML file as a list of tables, with the place of everything.
type document struct {
	tables  []*table // the first is the one without a header
	partial bool     // some of it could not be read
}

// table is a [name] or [[name]] and the keys in it.
type table struct {
	name    string
	array   bool // written with double brackets
	broken  bool // its header could not be read, name and array are guesses
	pos     position
	entries []entry
	index   map[string]int // of entries, by key
}

// entry is one key and its value.
type entry struct {
	key   string // dotted keys keep their dots
	pos   position
	value value
}

// value is a TOML value.
type value struct {
	kind  unstable.Kind // Invalid if it could not be read
	pos   position
	text  string  // of a string, or the source of a number, date or boolean
	items []value // of an array
}

// position is a place in a file.
type position struct{ line, column int } // from 1; the column in bytes

// entry returns the table's key of that name, nil if it has none.
func (t *table) entry(name string) *entry {
	if i, ok := t.index[name]; ok {
		return &t.entries[i]
	}
	return nil
}

// qualified returns the key as errors call it.
func (t *table) qualified(key string) string {
	if t.name == "" {
		return key
	}
	return t.name + "." + key
}

// reader turns the text of a file into a document.
type reader struct {
	data   []byte
	starts []int // offset of each line
	doc    document
	fail   func(pos position, key, problem, hint string)
}

// maxSyntaxErrors bounds the work on something that is no TOML at all.
const maxSyntaxErrors = 20

// byteOrderMark is what some editors begin UTF-8 with. It says nothing, and
// lines and columns are counted without it.
var byteOrderMark = []byte("\xef\xbb\xbf")

// parseDocument reads the syntax and calls fail for every mistake in it.
func parseDocument(data []byte, fail func(pos position, key, problem, hint string)) *document {
	data = bytes.TrimPrefix(data, byteOrderMark)
	r := &reader{data: data[:len(data):len(data)], starts: []int{0}, fail: fail}
	for i, b := range data {
		if b == '\n' {
			r.starts = append(r.starts, i+1)
		}
	}
	r.doc.tables = []*table{{pos: position{1, 1}}}
	for offset, n := 0, 0; offset < len(data) && n < maxSyntaxErrors; n++ {
		offset = r.read(offset)
	}
	return &r.doc
}

// position tells the place of an offset.
func (r *reader) position(offset int) position {
	line, found := slices.BinarySearch(r.starts, offset)
	if !found {
		line--
	}
	return position{line + 1, offset - r.starts[line] + 1}
}

// line returns the text of a line.
func (r *reader) line(n int) string {
	end := len(r.data)
	if n < len(r.starts) {
		end = r.starts[n]
	}
	return strings.TrimRight(string(r.data[r.starts[n-1]:end]), "\r\n")
}

// current is the table that keys belong to.
func (r *reader) current() *table { return r.doc.tables[len(r.doc.tables)-1] }

// read reads up to the next mistake of syntax, reports it, and returns the
// offset to go on at.
func (r *reader) read(offset int) int {
	var p unstable.Parser
	p.Reset(r.data[offset:])
	end := offset // of the last expression
	for p.NextExpression() {
		node := p.Expression()
		key, pos, keyEnd := r.key(offset, node)
		switch node.Kind {
		case unstable.Table, unstable.ArrayTable:
			r.doc.tables = append(r.doc.tables, &table{name: key, array: node.Kind == unstable.ArrayTable, pos: position{pos.line, 1}})
			end = keyEnd
		case unstable.KeyValue:
			r.add(key, pos, r.value(offset, node.Value(), pos))
			end = offset + int(node.Raw.Offset+node.Raw.Length)
		}
	}
	var syntax *unstable.ParserError
	if !errors.As(p.Error(), &syntax) {
		return len(r.data)
	}
	at := r.position(offset + cap(r.data[offset:]) - cap(syntax.Highlight))
	return r.resume(r.position(end).line, at, end > offset, syntax.Message)
}

// add adds a key to the current table, once.
func (r *reader) add(key string, pos position, v value) {
	t := r.current()
	if first := t.entry(key); first != nil {
		r.fail(pos, t.qualified(key), "comes twice in this table", "the first is on line "+strconv.Itoa(first.pos.line))
		return
	}
	if t.index == nil {
		t.index = make(map[string]int)
	}
	t.index[key] = len(t.entries)
	t.entries = append(t.entries, entry{key, pos, v})
}

// key returns the dotted key of an expression, its place, and the offset of
// its end.
func (r *reader) key(offset int, node *unstable.Node) (key string, pos position, end int) {
	var parts []string
	for it := node.Key(); it.Next(); {
		part := it.Node()
		if len(parts) == 0 {
			pos = r.position(offset + int(part.Raw.Offset))
		}
		end = offset + int(part.Raw.Offset+part.Raw.Length)
		parts = append(parts, keyText(string(part.Data)))
	}
	return strings.Join(parts, "."), pos, end
}

// keyText quotes a part of a key that could be taken for several.
func keyText(s string) string {
	bare := s != "" && !strings.ContainsFunc(s, func(c rune) bool {
		return !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '-')
	})
	if bare {
		return s
	}
	return strconv.Quote(s)
}

// value copies a value. pos is the place for what has none of its own.
func (r *reader) value(offset int, node *unstable.Node, pos position) value {
	if node.Raw.Length > 0 {
		pos = r.position(offset + int(node.Raw.Offset))
	}
	v := value{kind: node.Kind, pos: pos, text: string(node.Data)}
	if node.Kind == unstable.Array {
		for it := node.Children(); it.Next(); {
			v.items = append(v.items, r.value(offset, it.Node(), pos))
		}
	}
	return v
}
