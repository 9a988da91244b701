package conf

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// maxFile bounds the size in bytes of a configuration file.
const maxFile = 1 << 20

// Load reads the configuration file at path and the key files that it names.
// The error is of type Errors if the file has mistakes, matches ErrNoConfig if
// it does not exist, and is the file system's otherwise.
func Load(path string) (*Config, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: %s", ErrNoConfig, path)
	} else if err != nil {
		return nil, fmt.Errorf("read configuration: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("read configuration: %w", err)
	}
	if len(data) > maxFile {
		return nil, fmt.Errorf("read configuration: %s is larger than %d bytes", path, maxFile)
	}
	return Parse(path, data, readKeyFile)
}

// Parse reads a configuration as Load does, without the file system. path is
// the name of the file in errors, and its folder is where relative paths in
// data start. readKey returns the content of a key file; if its error is an
// *Error, Problem and Hint of that are reported for the key that names the
// file. The error of Parse is nil or of type Errors. data is not kept.
func Parse(path string, data []byte, readKey func(path string) ([]byte, error)) (*Config, error) {
	d := &decoder{file: path, dir: filepath.Dir(path), readKey: readKey}
	doc := parseDocument(data, func(pos position, key, problem, hint string) {
		at{d, key, pos}.fail(problem, hint)
	})
	c := d.config(doc)
	if len(d.errs) > 0 {
		d.errs.sort()
		return nil, d.errs
	}
	c.Path = path
	return c, nil
}

// config reads the tables and checks them together.
func (d *decoder) config(doc *document) *Config {
	c := new(Config)
	var tunnel *table
	var peers []*table
	whole := !doc.partial
	for _, e := range doc.root.entries {
		a := at{d, doc.root.qualified(e.key), e.pos}
		for _, v := range tables(e.value) {
			a := a.item(v)
			t, isTable := v.data.(*table)
			_, array := e.value.data.([]value)
			switch {
			case v.data == nil: // reported already
			case e.key == peerTable && array && !isTable && len(v.items()) == 0 && len(e.value.items()) == 0: // no peers
			case e.key == tunnelTable && isTable:
				if array && t.kind == header {
					a.fail("[[tunnel]] has double brackets", "[tunnel], once")
				} else if array && t.kind != broken {
					a.fail("is an array, not a table", "[tunnel], once")
				}
				if tunnel == nil {
					tunnel = t
					d.decodeTable(t, c.Tunnel.fields(), whole)
				} else {
					d.decodeTable(t, new(Tunnel).fields(), false)
				}
			case e.key == peerTable && isTable:
				if !array && t.kind == header {
					a.fail("[peer] has single brackets", "[[peer]], for each peer")
				} else if !array && t.kind != broken {
					a.fail("is a table, not an array of tables", "[[peer]], for each peer")
				}
				var p Peer
				d.decodeTable(t, p.fields(), whole)
				c.Peers, peers = append(c.Peers, p), append(peers, t)
			case e.key == tunnelTable || e.key == peerTable:
				a.fail("is "+v.describe()+", not a table", "there are [tunnel] and [[peer]]")
			case !isTable:
				a.fail("is not in a table", strayKeyHint(e.key))
			case t.kind != broken:
				a.fail("unknown table", unknownTableHint(e.key))
			}
		}
	}
	if tunnel == nil {
		tunnel = doc.root
		if whole && doc.root.entry(tunnelTable) == nil {
			at{d, tunnelTable, tunnel.pos}.fail("the table [tunnel] is missing", "it describes this end: private_key_file, address")
		}
	}
	if c.Tunnel.StatusSocket == "" {
		c.Tunnel.StatusSocket = defaultStatusSocket(c.Tunnel.Name)
		d.files = append(d.files, namedFile{c.Tunnel.StatusSocket, writes, at{d, tunnel.qualified("status_socket"), tunnel.pos}})
	}
	d.check(c, tunnel, peers)
	return c
}

// tables returns the items of an array that has tables, else the value.
func tables(v value) []value {
	if items := v.items(); slices.ContainsFunc(items, func(item value) bool { _, ok := item.data.(*table); return ok }) {
		return items
	}
	return []value{v}
}
