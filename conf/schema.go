package conf

import (
	"slices"
	"strings"
	"sync"
)

// field is one key that a table may have.
type field struct {
	name     string
	kind     kind
	required bool
	// value in TOML: the default, or an example for a required key. Empty: the
	// zero value, or one that other keys decide.
	value string
	// set checks a value of the right kind, or an item of an array, and stores it.
	set func(a at, v value)
}

// Names of the tables.
const tunnelTable, peerTable = "tunnel", "peer"

// decodeTable reads a table's keys. Missing keys are reported if the whole file
// could be read.
func (d *decoder) decodeTable(t *table, fields []field, whole bool) {
	for _, e := range t.entries {
		a := at{d, t.qualified(e.key), e.pos}
		f := fieldNamed(fields, e.key)
		switch {
		case e.value.data == nil: // reported already
		case f == nil:
			a.fail("unknown key", unknownKeyHint(t.name, e.key))
		case a.item(e.value).checkType(&e.value, f.kind):
			f.store(a.item(e.value), e.value)
		}
	}
	for _, f := range fields {
		a := at{d, t.qualified(f.name), t.pos}
		switch {
		case t.entry(f.name) != nil:
		case f.required && whole:
			a.fail("is missing", "such as: "+f.name+" = "+f.value)
		case !f.required && f.value != "":
			f.store(a, defaults()[f.value])
		}
	}
}

// store hands on a value of the right kind, of an array each item.
func (f *field) store(a at, v value) {
	if _, array := v.data.([]value); !array {
		f.set(a, v)
	}
	for _, item := range v.items() {
		f.set(a.item(item), item)
	}
}

// defaults are the values of the schema, by their text in TOML.
var defaults = sync.OnceValue(func() map[string]value {
	values := make(map[string]value)
	for _, f := range slices.Concat(tunnelFields, peerFields) {
		if f.value != "" {
			root, _ := parseDocument([]byte("x = "+f.value), nil)
			values[f.value] = root.entry("x").value
		}
	}
	return values
})

func fieldNamed(fields []field, name string) *field {
	if i := slices.IndexFunc(fields, func(f field) bool { return f.name == name }); i >= 0 {
		return &fields[i]
	}
	return nil
}

// What the tables may have, to be looked up.
var tunnelFields, peerFields = new(Tunnel).fields(), new(Peer).fields()

// fieldsOf returns the fields of a table, and those of the other table.
func fieldsOf(tableName string) (own, others []field, other string) {
	if tableName == peerTable {
		return peerFields, tunnelFields, "[tunnel]"
	}
	return tunnelFields, peerFields, "[[peer]]"
}

func names(fields []field) (list []string) {
	for _, f := range fields {
		list = append(list, f.name)
	}
	return list
}

// unknownKeyHint names the key that was probably meant.
func unknownKeyHint(tableName, key string) string {
	ownFields, otherFields, other := fieldsOf(tableName)
	own, others, plain := names(ownFields), names(otherFields), plainWord(key)
	mine, theirs, answer := suggest(key, own), suggest(key, others), counterparts()[plain]
	switch {
	case slices.Contains(others, key):
		return "it belongs in " + other
	case answer != "" && plain != plainWord(mine) && plain != plainWord(theirs):
		return answer
	case mine != "":
		return "did you mean " + mine + "?"
	case theirs != "":
		return "did you mean " + theirs + " in " + other + "?"
	}
	return "there are " + strings.Join(own, ", ")
}

// unknownTableHint names the table that was probably meant.
func unknownTableHint(name string) string {
	if answer := counterparts()[plainWord(name)]; answer != "" {
		return answer
	} else if t := suggest(name, []string{"[tunnel]", "[[peer]]"}); t != "" {
		return "did you mean " + t + "?"
	}
	return "there are [tunnel] and [[peer]]"
}

// strayKeyHint says where a key outside of the tables belongs.
func strayKeyHint(key string) string {
	switch {
	case fieldNamed(tunnelFields, key) != nil:
		return "write it below [tunnel]"
	case fieldNamed(peerFields, key) != nil:
		return "write it below [[peer]]"
	}
	return "keys stand below [tunnel] or [[peer]]"
}
