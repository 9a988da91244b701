package conf

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the reports to testdata/invalid/*.txt; read them before committing")

// Keys of the tests, and of nothing else. Those of peers are in testdata.
const (
	privateKey       = "yHj9dK6GGZH5OBZ3YLLa8QGxNcKFetKXHyQ5TMZ1dGU="
	ownPublicKey     = "MuV6IkIMX1WSxX4rjFXcfs/YABp/DOLyZ//CI88aTRU="
	presharedKey     = "1h+k4I3y1w5htGIxvSMc92+/nikR6wePBhujLCyw2IU="
	otherPublicKey   = "TNUuJ+OJyM6OubpuUWC5GVNyAJPIF8buquW1uzJxCDY="
	clampedPublicKey = "mPMym5hjx5GaHKKs6VeBgn+ra0BHlJuz5PDRICaLSEo=" // has the form of a private one
	// misplacedKey is a private key where none must be.
	misplacedKey    = "oE3EqiZAdXRCLPnU1jsUL8Ain7LCpzLouynzkbBfJUA="
	misplacedHexKey = "a04dc4aa2640757442cf9d4d63b142fc0229fb2c2a732e8bb29f391b05f25400"
)

// keyFiles are next to every configuration of the tests.
var keyFiles = []struct {
	name, content string
	mode          fs.FileMode
}{
	{"private.key", privateKey + "\n", 0o600},
	{"misplaced.key", misplacedKey + "\n", 0o600},
	{"psk.key", presharedKey + "\n", 0o400},
	{"own-public.key", ownPublicKey + "\n", 0o600},
	{"other-public.key", otherPublicKey + "\n", 0o600},
	{"clamped-public.key", clampedPublicKey + "\n", 0o600},
	{"world.key", privateKey + "\n", 0o604},
	{"group.key", privateKey + "\n", 0o640},
	{"writable.key", privateKey + "\n", 0o620},
	{"huge.key", privateKey + strings.Repeat("\n", MaxKeyFile), 0o600},
	{"empty.key", "", 0o600},
	{"blank.key", " \r\n\n", 0o600},
	{"text.key", privateKey[1:] + "\n", 0o600},
	{"hex.key", misplacedHexKey + "\n", 0o600},
	{"pem.key", "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VuBCIEIMh4/XSuhhmR+TgWd2Cy2vEBsTXChXrSlx8kOUzGdXRl\n-----END PRIVATE KEY-----\n", 0o600},
	{"two.key", privateKey + "\n" + misplacedKey + "\n", 0o600},
	{"short.key", "yHj9dK6GGZH5OBZ3YLLa8Q==\n", 0o600},
	{"long.key", "yHj9dK6GGZH5OBZ3YLLa8QGxNcKFetKXHyQ5TMZ1dGXIeP10roYZkQ==\n", 0o600},
	{"zero.key", strings.Repeat("A", keyLength-1) + "=\n", 0o600},
}

// enterKeyFolder makes a folder with all key files the working directory, so
// that the paths in messages are short and always the same.
func enterKeyFolder(t *testing.T) {
	t.Helper()
	dir := t.TempDir()
	for _, f := range keyFiles {
		path := filepath.Join(dir, f.name)
		check(t, os.WriteFile(path, []byte(f.content), f.mode))
		check(t, os.Chmod(path, f.mode)) // whatever the umask
	}
	check(t, os.Mkdir(filepath.Join(dir, "folder.key"), 0o700))
	check(t, syscall.Mkfifo(filepath.Join(dir, "pipe.key"), 0o600))
	t.Chdir(dir)
}

// readTestKey is readKeyFile with a file that not even root can read.
func readTestKey(path string) ([]byte, error) {
	if path == "denied.key" {
		return nil, &fs.PathError{Op: "open", Path: path, Err: syscall.EACCES}
	}
	return readKeyFile(path)
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// invalidFiles returns the content of testdata/invalid/*.toml by name.
func invalidFiles(t testing.TB) map[string][]byte {
	t.Helper()
	paths, err := filepath.Glob("testdata/invalid/*.toml")
	if err != nil || len(paths) == 0 {
		t.Fatalf("%d files in testdata/invalid, error %v", len(paths), err)
	}
	files := make(map[string][]byte)
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		files[strings.TrimSuffix(filepath.Base(path), ".toml")] = data
	}
	return files
}

// TestInvalidFiles compares the report on each testdata/invalid/*.toml with the
// .txt beside it, to the byte.
func TestInvalidFiles(t *testing.T) {
	files := invalidFiles(t)
	golden, err := filepath.Abs("testdata/invalid")
	check(t, err)
	enterKeyFolder(t)
	for name, data := range files {
		t.Run(strings.ReplaceAll(name, "-", " "), func(t *testing.T) {
			file := name + ".toml"
			cfg, err := Parse(file, data, readTestKey)
			if cfg != nil {
				t.Error("a configuration was returned")
			}
			mistakes, ok := errors.AsType[Errors](err)
			if !ok || len(mistakes) == 0 {
				t.Fatalf("error of type %T: %v", err, err)
			}
			want := filepath.Join(golden, name+".txt")
			got := err.Error() + "\n"
			if *update {
				check(t, os.WriteFile(want, []byte(got), 0o644))
			}
			expected, err := os.ReadFile(want)
			check(t, err)
			if diff := cmp.Diff(string(expected), got); diff != "" {
				t.Errorf("-expected +reported:\n%s", diff)
			}
			checkPlaces(t, mistakes, file, data)

			// Neither the ends of the lines nor a byte order mark matter.
			crlf := bytes.ReplaceAll(data, []byte("\n"), []byte("\r\n"))
			for form, data := range map[string][]byte{
				"CRLF": crlf, "a byte order mark": slices.Concat(byteOrderMark, data), "both": slices.Concat(byteOrderMark, crlf),
			} {
				_, err := Parse(file, data, readTestKey)
				if diff := cmp.Diff(got, fmt.Sprintln(err)); diff != "" {
					t.Errorf("with %s: -without +with:\n%s", form, diff)
				}
			}
		})
	}
}

// checkPlaces wants mistakes in the order of their lines, each in the file and
// not blank.
func checkPlaces(t *testing.T, mistakes Errors, file string, data []byte) {
	t.Helper()
	lines := bytes.Split(data, []byte("\n"))
	line := 1
	for _, e := range mistakes {
		if e.Line < line {
			t.Errorf("line %d is reported after line %d", e.Line, line)
		}
		line = e.Line
		if e.File != file || e.Line < 1 || e.Line > len(lines) || e.Column < 1 || e.Problem == "" {
			t.Errorf("%+v: not a place in %s, of %d lines, or no problem", *e, file, len(lines))
			continue
		}
		if columns := len(lines[e.Line-1]) + 1; e.Column > columns+1 {
			t.Errorf("column %d of line %d, which has %d", e.Column, e.Line, columns)
		}
	}
}

// TestEveryExpectationHasAFile finds the .txt files that a renaming left behind.
func TestEveryExpectationHasAFile(t *testing.T) {
	files := invalidFiles(t)
	paths, err := filepath.Glob("testdata/invalid/*.txt")
	check(t, err)
	if len(paths) != len(files) {
		t.Errorf("%d expectations for %d files", len(paths), len(files))
	}
	for _, path := range paths {
		if _, ok := files[strings.TrimSuffix(filepath.Base(path), ".txt")]; !ok {
			t.Errorf("%s has no file", path)
		}
	}
}
