package conf

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// maxFile bounds the size in bytes of a configuration or key file.
const maxFile = 4 << 20

// Load reads the configuration file at path. The error is Errors, or matches
// ErrNoConfig, or is of the file system.
func Load(path string) (*Config, error) {
	data, err := readFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: %s", ErrNoConfig, path)
	} else if err != nil {
		return nil, fmt.Errorf("read configuration: %w", err)
	}
	return parse(path, data, readKeyFile)
}

func readFile(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Size() > maxFile {
		return nil, fmt.Errorf("%s is larger than %d bytes", path, maxFile)
	}
	return os.ReadFile(path)
}

// readKeyFile reads the one key in a file that others may not read. The error
// has a problem and a hint alone.
func readKeyFile(path string) (SecretKey, *Error) {
	fail := func(hint, problem string, args ...any) (SecretKey, *Error) {
		return SecretKey{}, &Error{Problem: fmt.Sprintf(problem, args...), Hint: hint}
	}
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fail("make one: fathom genkey > "+path, "%s does not exist", path)
	case err != nil:
		return fail("", "%v", err)
	case info.IsDir():
		return fail("name the file in it", "%s is a directory", path)
	case info.Mode().Perm()&0o077 != 0:
		return fail("chmod 600 "+path, "%s can be read or written by others (mode %04o)", path, info.Mode().Perm())
	}
	data, err := readFile(path)
	if errors.Is(err, fs.ErrPermission) {
		return fail("run as its owner or as root", "%s is not readable by this user", path)
	} else if err != nil {
		return fail("", "%v", err)
	}
	key, err := parseKey(strings.TrimSpace(string(data)))
	if err != nil {
		return fail("one line of 44 base64 characters, as `fathom genkey` prints it", "%s is %v", path, err)
	}
	return key, nil
}

// parse reads a configuration; path is what errors call it, and the place that
// relative paths start from.
func parse(path string, data []byte, readKey func(string) (SecretKey, *Error)) (*Config, error) {
	d := &decoder{file: path, dir: filepath.Dir(path), readKey: readKey}
	doc, syntax := parseDocument(data)
	if syntax != nil {
		syntax.File = path
		return nil, Errors{syntax}
	}
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
	c := &Config{Tunnel: defaultTunnel()}
	var tunnel *table
	var peers []table
	for i := range doc.tables {
		t := &doc.tables[i]
		switch {
		case t.name == "":
			for _, e := range t.entries {
				at{d, e.key, e.line}.fail("move it below [tunnel] or [[peer]]", "no such key outside of a table")
			}
		case t.name == "tunnel" && !t.array && tunnel == nil:
			tunnel = t
			decodeTable(d, t, tunnelFields, &c.Tunnel)
		case t.name == "peer" && t.array:
			var p Peer
			decodeTable(d, t, peerFields, &p)
			c.Peers, peers = append(c.Peers, p), append(peers, *t)
		case t.name == "peer":
			at{d, t.name, t.line}.fail("[[peer]]", "a peer's table has double brackets")
		case t.name == "tunnel":
			at{d, t.name, t.line}.fail("[tunnel]", "the tunnel's table has single brackets and comes once")
		default:
			at{d, t.name, t.line}.fail("[tunnel] or [[peer]]"+suggest(t.name, []string{"tunnel", "peer"}), "unknown table")
		}
	}
	if tunnel == nil {
		at{d, "tunnel", 1}.fail("it says who this end is: private_key_file, address", "the table [tunnel] is missing")
	}
	if c.Tunnel.StatusSocket == "" {
		c.Tunnel.StatusSocket = filepath.Join(statusDirectory, c.Tunnel.Name+".sock")
	}
	d.checkTunnel(c, tunnel)
	d.checkPeers(c, peers)
	return c
}

// decodeTable reads a table's keys into the struct.
func decodeTable[T any](d *decoder, t *table, fields []field[T], into *T) {
	for _, e := range t.entries {
		place := at{d, t.name + "." + e.key, e.line}
		i := slices.IndexFunc(fields, func(f field[T]) bool { return f.name == e.key })
		if i < 0 {
			names := make([]string, len(fields))
			for i, f := range fields {
				names[i] = f.name
			}
			place.fail(strings.TrimPrefix(suggest(e.key, names), "; "), "unknown key")
			continue
		}
		fields[i].set(place, e.value, into)
	}
	for _, f := range fields {
		if f.required && t.entry(f.name) == nil {
			at{d, t.name + "." + f.name, t.line}.fail("", "is missing")
		}
	}
}

// entry returns the table's key of that name, nil if it has none.
func (t *table) entry(name string) *entry {
	for i := range t.entries {
		if t.entries[i].key == name {
			return &t.entries[i]
		}
	}
	return nil
}

// line returns the line of a key, or of the table if it lacks the key.
func (t *table) lineOf(name string) int {
	if e := t.entry(name); e != nil {
		return e.line
	}
	return t.line
}
