package conf

import (
	"errors"
	"fmt"
	"strings"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"
)

// document is a TOML file as a list of tables, with the line of everything.
type document struct {
	tables []table
}

// table is a [name] or [[name]] and the keys in it.
type table struct {
	name    string
	array   bool // written with double brackets
	line    int
	entries []entry
}

// entry is one key and its value.
type entry struct {
	key   string // dotted keys keep their dots
	line  int
	value value
}

// value is a TOML value of one of the kinds that the schema knows.
type value struct {
	kind  unstable.Kind
	line  int
	text  string  // of a string, or the source of a number
	yes   bool    // of a boolean
	items []value // of an array
}

// parseDocument reads the syntax. Errors are *Error without a file.
func parseDocument(data []byte) (*document, *Error) {
	// The decoder checks what the parser below does not, such as numbers and
	// keys that come twice.
	var ignored map[string]any
	if err := toml.Unmarshal(data, &ignored); err != nil {
		return nil, syntaxError(err)
	}
	d := &document{tables: []table{{line: 1}}}
	var p unstable.Parser
	p.Reset(data)
	for p.NextExpression() {
		node := p.Expression()
		switch node.Kind {
		case unstable.Table, unstable.ArrayTable:
			name, line := keyOf(&p, node)
			d.tables = append(d.tables, table{name: name, array: node.Kind == unstable.ArrayTable, line: line})
		case unstable.KeyValue:
			key, line := keyOf(&p, node)
			last := &d.tables[len(d.tables)-1]
			last.entries = append(last.entries, entry{key, line, valueOf(&p, node.Value(), line)})
		}
	}
	if err := p.Error(); err != nil {
		return nil, syntaxError(err)
	}
	return d, nil
}

func syntaxError(err error) *Error {
	e := &Error{Line: 1, Problem: "not TOML: " + strings.TrimPrefix(err.Error(), "toml: ")}
	if decode := new(toml.DecodeError); errors.As(err, &decode) {
		e.Line, _ = decode.Position()
	}
	return e
}

// keyOf returns the dotted key of an expression and its line.
func keyOf(p *unstable.Parser, node *unstable.Node) (key string, line int) {
	var parts []string
	for it := node.Key(); it.Next(); {
		part := it.Node()
		if line == 0 {
			line = p.Shape(part.Raw).Start.Line
		}
		parts = append(parts, string(part.Data))
	}
	return strings.Join(parts, "."), max(line, 1)
}

// valueOf copies a value. line is that of its key, for values whose own place
// the parser does not tell.
func valueOf(p *unstable.Parser, node *unstable.Node, line int) value {
	v := value{kind: node.Kind, line: line, text: string(node.Data)}
	if node.Raw.Length > 0 {
		v.line = p.Shape(node.Raw).Start.Line
	}
	switch node.Kind {
	case unstable.Bool:
		v.yes = v.text == "true"
	case unstable.Array:
		for it := node.Children(); it.Next(); {
			v.items = append(v.items, valueOf(p, it.Node(), line))
		}
	}
	return v
}

// describe names what a value is, for an error about its type.
func (v value) describe() string {
	switch v.kind {
	case unstable.String:
		return fmt.Sprintf("the string %q", v.text)
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
	return "a date or time"
}

func (v value) emptyArray() bool { return v.kind == unstable.Array && len(v.items) == 0 }
