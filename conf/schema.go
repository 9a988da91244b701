package conf

import (
	"slices"
	"strings"
)

// field is one key that a table may have.
type field[T any] struct {
	name     string
	kind     kind
	required bool
	// value in TOML: the default, or an example for a required key. Empty: the
	// zero value, or what is derived from other keys.
	value string
	// set checks a value of the right kind and stores it.
	set func(a at, v value, into *T)
}

// Names of the tables.
const (
	tunnelTable = "tunnel"
	peerTable   = "peer"
)

// decodeTable reads a table's keys into the struct. What is missing is
// reported if whole says that nothing has been overlooked.
func decodeTable[T any](d *decoder, t *table, fields []field[T], into *T, whole bool) {
	for _, e := range t.entries {
		a := at{d, t.qualified(e.key), e.pos}
		f := fieldNamed(fields, e.key)
		switch {
		case e.value.data == nil: // reported already
		case f == nil:
			a.fail("unknown key", unknownKeyHint(t.name, e.key))
		case a.item(e.value).checkType(&e.value, f.kind):
			f.set(a.item(e.value), e.value, into)
		}
	}
	for _, f := range fields {
		if t.entry(f.name) != nil {
			continue
		}
		a := at{d, t.qualified(f.name), t.pos}
		switch {
		case f.required && whole:
			a.fail("is missing", "such as: "+f.name+" = "+f.value)
		case !f.required && f.value != "":
			v := parseValue(f.value)
			f.set(a, v, into)
		}
	}
}

// parseValue reads a value of the schema's own.
func parseValue(toml string) value {
	doc := parseDocument([]byte("x = "+toml), func(_ position, _, problem, _ string) {
		panic("conf: the schema's value " + toml + ": " + problem)
	})
	return doc.root.entry("x").value
}

func fieldNamed[T any](fields []field[T], name string) *field[T] {
	for i := range fields {
		if fields[i].name == name {
			return &fields[i]
		}
	}
	return nil
}

// kindOf returns the kind of a table's key, text if it is not known.
func kindOf(tableName, key string) kind {
	if f := fieldNamed(tunnelFields, key); f != nil && tableName == tunnelTable {
		return f.kind
	}
	if f := fieldNamed(peerFields, key); f != nil && tableName == peerTable {
		return f.kind
	}
	return text
}

func names[T any](fields []field[T]) []string {
	list := make([]string, len(fields))
	for i, f := range fields {
		list[i] = f.name
	}
	return list
}

// keysOf returns the names of a table's keys, and those of the other table.
func keysOf(tableName string) (own, others []string, other string) {
	if tableName == peerTable {
		return names(peerFields), names(tunnelFields), "[tunnel]"
	}
	return names(tunnelFields), names(peerFields), "[[peer]]"
}

// unknownKeyHint says what was probably meant by a key.
func unknownKeyHint(tableName, key string) string {
	own, others, other := keysOf(tableName)
	same := func(k string) bool { return plainWord(k) == plainWord(key) }
	if slices.Contains(others, key) {
		return "it belongs into " + other
	}
	if !slices.ContainsFunc(own, same) && !slices.ContainsFunc(others, same) && counterpart(key) != "" {
		return counterpart(key)
	}
	if k := suggest(key, own); k != "" {
		return "did you mean " + k + "?"
	}
	if k := suggest(key, others); k != "" {
		return "did you mean " + k + " in " + other + "?"
	}
	return "there are " + strings.Join(own, ", ")
}

// strayKeyHint says where a key outside of the tables belongs.
func strayKeyHint(key string) string {
	tunnel, peer, _ := keysOf(tunnelTable)
	switch {
	case slices.Contains(tunnel, key):
		return "write it below [tunnel]"
	case slices.Contains(peer, key):
		return "write it below [[peer]]"
	}
	return "keys stand below [tunnel] or [[peer]]"
}
