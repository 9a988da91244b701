// Package conf reads Fathom's configuration: one TOML file with a [tunnel]
// table and a [[peer]] table for each peer. schema.go lists every key.
//
// A file is judged as a whole: Load reports all its mistakes at once, each
// with file, line and key, what is wrong and what would be right. For that it
// walks the syntax tree of github.com/pelletier/go-toml, which knows the line
// of every key and value; a decoder into structs would stop at the first
// value of a wrong type, and others do not know the lines of unknown keys.
//
// The package reads files and does nothing else with the host. Whether an
// address is free or an endpoint answers is found out by those who use them.
package conf
