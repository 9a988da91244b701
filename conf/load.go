package conf

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"
)

// maxFile bounds the size in bytes of a configuration file: a [[peer]] takes 130 or more.
const maxFile = 4 << 20

// MaxKeyFile bounds the size in bytes of a key file: a key and stray space.
const MaxKeyFile = 4096

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
	data, err := readAtMost(f, maxFile)
	if err != nil {
		return nil, fmt.Errorf("read configuration: %w", err)
	}
	if len(data) > maxFile {
		return nil, fmt.Errorf("read configuration: %s is larger than %d bytes", path, maxFile)
	}
	return Parse(path, data, readKeyFile)
}

// readAtMost reads a file up to its limit in bytes, and one byte more if it is
// larger.
func readAtMost(f *os.File, limit int64) ([]byte, error) {
	return io.ReadAll(io.LimitReader(f, limit+1))
}

// readKeyFile reads a file that only its owner may read or write. It looks at
// the file that it has opened, so that none can be put in its place between.
func readKeyFile(path string) ([]byte, error) {
	// O_NONBLOCK: opening a FIFO must not wait for its other end.
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, &Error{Problem: path + " is not a regular file", Hint: "name the file that holds the key"}
	case info.Mode()&0o077 != 0:
		return nil, &Error{Problem: fmt.Sprintf("%s can be read or written by others (mode %04o)", path, info.Mode().Perm()),
			Hint: "chmod 600 " + path + ", and make a new key if others have had access"}
	}
	return readAtMost(f, MaxKeyFile)
}

// Parse reads a configuration as Load does, without the file system. path is
// the name of the file in errors, and its folder is where relative paths in
// data start. readKey returns the content of a key file; if its error is an
// *Error, Problem and Hint of that are reported for the key that names the
// file. The error of Parse is nil or of type Errors. data is not kept.
func Parse(path string, data []byte, readKey func(path string) ([]byte, error)) (*Config, error) {
	d := &decoder{file: path, dir: filepath.Dir(path), readKey: readKey}
	root, partial := parseDocument(data, func(pos position, key, problem, hint string) {
		at{d, key, pos}.fail(problem, hint)
	})
	c := d.config(root, !partial)
	if len(d.errs) > 0 {
		slices.SortStableFunc(d.errs, func(a, b *Error) int {
			return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
		})
		return nil, d.errs
	}
	c.Path = path
	return c, nil
}

// config reads the tables and checks them together. Missing keys are reported
// if the tables are the whole file.
func (d *decoder) config(root *table, whole bool) *Config {
	c := new(Config)
	var tunnel *table
	var peers []*table
	for _, e := range root.entries {
		list, array := e.value.data.([]value)
		if len(list) == 0 && !(array && e.key == peerTable) { // else there are no peers
			list = []value{e.value}
		}
		for i, v := range list {
			a := at{d, root.qualified(e.key), v.pos}
			t, isTable := v.data.(*table)
			switch {
			case v.data == nil: // reported already
			case e.key == tunnelTable && isTable:
				a.checkForm(t, array, "[[tunnel]] has double brackets", "is an array, not a table", "[tunnel], once")
				into := &c.Tunnel
				if tunnel != nil {
					into = new(Tunnel)
				} else {
					tunnel = t
				}
				d.decodeTable(t, into.fields(), whole && tunnel == t)
			case e.key == peerTable && isTable:
				a.checkForm(t, !array, "[peer] has single brackets", "is a table, not an array of tables", "[[peer]], for each peer")
				c.Peers, peers = append(c.Peers, Peer{}), append(peers, t)
				d.decodeTable(t, c.Peers[len(c.Peers)-1].fields(), whole)
			case e.key == tunnelTable || e.key == peerTable:
				a.fail("is "+v.describe()+", not a table", "there are [tunnel] and [[peer]]")
			case !isTable && i == 0: // of an array once
				a.fail("is not in a table", strayKeyHint(e.key))
			case !isTable:
			case t.kind != broken:
				a.fail("unknown table", unknownTableHint(e.key))
			}
		}
	}
	if tunnel == nil {
		tunnel = root
		if whole && root.entry(tunnelTable) == nil {
			at{d, tunnelTable, tunnel.pos}.fail("the table [tunnel] is missing", "it describes this end: private_key_file, address")
		}
	}
	if c.Tunnel.StatusSocket == "" {
		c.Tunnel.StatusSocket = defaultStatusSocket(c.Tunnel.Name)
		d.writes = append(d.writes, namedFile{c.Tunnel.StatusSocket, at{d, tunnel.qualified("status_socket"), tunnel.pos}})
	}
	if !d.history {
		c.Tunnel.HistoryFile = defaultHistoryFile(c.Tunnel.Name, c.Tunnel.StatusSocket)
		d.writes = append(d.writes, namedFile{c.Tunnel.HistoryFile, at{d, tunnel.qualified("history_file"), tunnel.pos}})
	}
	d.check(c, tunnel, peers)
	return c
}

// checkForm reports a table that should be in an array, or should not be.
func (a at) checkForm(t *table, wrong bool, ofHeader, problem, hint string) {
	if t.kind == header {
		problem = ofHeader
	}
	if wrong && t.kind != broken {
		a.fail(problem, hint)
	}
}
