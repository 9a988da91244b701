package gcm

import (
	"bytes"
	"encoding/hex"
	"os"
	"strings"
	"testing"
)

// A knownAnswer is a known answer: the fields of one, by name.
type knownAnswer map[string]string

func (v knownAnswer) bytes(t *testing.T, name string) []byte {
	t.Helper()
	b, err := hex.DecodeString(v[name])
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// readVectors reads a file of NIST's form: lines of a name and a value, a blank
// line between vectors.
func readVectors(t *testing.T, file string, want int) (vectors []knownAnswer) {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, block := range strings.Split(string(content), "\n\n") {
		v := make(knownAnswer)
		for _, line := range strings.Split(block, "\n") {
			if line == "FAIL" {
				v["result"] = "invalid"
			} else if name, value, ok := strings.Cut(line, " ="); ok && !strings.HasPrefix(line, "#") {
				v[name] = strings.TrimSpace(value)
			}
		}
		if v["Key"] != "" {
			vectors = append(vectors, v)
		}
	}
	if len(vectors) != want {
		t.Fatalf("%s has %d vectors, want %d", file, len(vectors), want)
	}
	return vectors
}

// TestVectors: NIST's CAVP and Project Wycheproof, as far as they are of a key of 256,
// a nonce of 96 and a tag of 128 bits.
func TestVectors(t *testing.T) {
	each(t, func(t *testing.T, m maker) {
		for _, file := range []struct {
			name string
			want int
		}{{"testdata/gcmEncryptExtIV256.rsp", 375}, {"testdata/gcmDecrypt256.rsp", 375}, {"testdata/wycheproof.rsp", 35}} {
			for i, v := range readVectors(t, file.name, file.want) {
				checkVector(t, m, file.name, i, v)
			}
		}
	})
}

func checkVector(t *testing.T, m maker, file string, i int, v knownAnswer) {
	t.Helper()
	c := mustMake(t, m, v.bytes(t, "Key"))
	nonce, header, plain := v.bytes(t, "IV"), v.bytes(t, "AAD"), v.bytes(t, "PT")
	sealed := append(v.bytes(t, "CT"), v.bytes(t, "Tag")...)
	opened, err := c.Open(nil, nonce, sealed, header)
	if v["result"] == "invalid" {
		if err == nil {
			t.Errorf("%s, vector %d %s: opens", file, i, v["Comment"])
		}
		return
	}
	if err != nil || !bytes.Equal(opened, plain) {
		t.Errorf("%s, vector %d %s: opened %x, %v, want %x", file, i, v["Comment"], opened, err, plain)
	}
	if got := c.Seal(nil, nonce, plain, header); !bytes.Equal(got, sealed) {
		t.Errorf("%s, vector %d %s: sealed %x, want %x", file, i, v["Comment"], got, sealed)
	}
}
