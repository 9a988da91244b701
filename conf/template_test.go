package conf

import (
	"bytes"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// filledTemplate is a template as `fathom init` writes it, with the peer's key.
func filledTemplate(t *testing.T) string {
	t.Helper()
	text := string(Template("fathom7", "/etc/fathom/private.key", ownPublicKey))
	const placeholder = "PUT THE PEER'S PUBLIC KEY HERE"
	if strings.Count(text, placeholder) != 1 {
		t.Fatalf("%q is not once in the template", placeholder)
	}
	return strings.Replace(text, placeholder, otherPublicKey, 1)
}

func TestTemplateIsValidOnceItIsFilledIn(t *testing.T) {
	text := filledTemplate(t)
	for form, data := range map[string]string{"LF": text, "CRLF": strings.ReplaceAll(text, "\n", "\r\n")} {
		c, err := Parse("/etc/fathom/fathom.toml", []byte(data), keysByName)
		if err != nil {
			t.Fatalf("with %s: %v", form, err)
		}
		if c.Tunnel.Name != "fathom7" || c.Tunnel.PrivateKeyFile != "/etc/fathom/private.key" || len(c.Peers) != 1 {
			t.Errorf("with %s: %+v", form, c)
		}
	}
	if !strings.Contains(text, "\n# this host's public key: "+ownPublicKey+"\n") {
		t.Error("this host's public key is not in its comment")
	}
	if rest := regexp.MustCompile(`@[A-Z_]+@`).FindString(text); rest != "" {
		t.Errorf("%s has not been replaced", rest)
	}
}

// TestTemplateLacksOnlyThePeersKey wants one mistake in it, whose message tells
// what is left to do.
func TestTemplateLacksOnlyThePeersKey(t *testing.T) {
	data := Template(DefaultName, "private.key", ownPublicKey)
	_, err := Parse("f", data, keysByName)
	line := 1 + bytes.Count(data[:bytes.Index(data, []byte("\npublic_key"))+1], []byte("\n"))
	want := fmt.Sprintf("f:%d: peer.public_key: is not a key: not base64 (the 44 characters that `fathom pubkey` prints on the peer)", line)
	if err == nil || err.Error() != want {
		t.Errorf("reported:\n%v\nexpected:\n%s", err, want)
	}
}

var optionalKey = regexp.MustCompile(`(?m)^#([a-z_]+) = (.*)$`)

// TestTemplateExplainsEveryKey compares it with the schema: each key once, in
// the table and the order of the schema, with its default, commented out if it
// is optional.
func TestTemplateExplainsEveryKey(t *testing.T) {
	text := string(Template("fathom7", "private.key", ownPublicKey))
	tunnel, peer, ok := strings.Cut(text, "[[peer]]\n")
	if !ok {
		t.Fatal("no [[peer]]")
	}
	explained(t, tunnel, tunnelFields)
	explained(t, peer, peerFields)
}

// TestReferenceNamesEveryKey compares docs/reference.md with the schema.
func TestReferenceNamesEveryKey(t *testing.T) {
	text, err := os.ReadFile("../docs/reference.md")
	if err != nil {
		t.Fatal(err)
	}
	for beginning, fields := range map[string][]field{"In `[tunnel]`: ": tunnelFields, "In each `[[peer]]`: ": peerFields} {
		_, list, _ := strings.Cut(string(text), "\n"+beginning)
		list, _, _ = strings.Cut(list, ".\n")
		var keys []string
		for _, m := range regexp.MustCompile("`([a-z_]+)`").FindAllStringSubmatch(list, -1) {
			keys = append(keys, m[1])
		}
		want := names(fields)
		slices.Sort(want)
		slices.Sort(keys)
		if !slices.Equal(keys, want) {
			t.Errorf("%s\n%q, the schema has\n%q", beginning, keys, want)
		}
	}
}

func explained(t *testing.T, text string, fields []field) {
	t.Helper()
	var keys []string
	for i, line := range strings.Split(text, "\n") {
		m := regexp.MustCompile(`^(#?)([a-z_]+) = (.*)$`).FindStringSubmatch(line)
		if m == nil {
			continue
		}
		keys = append(keys, m[2])
		f := fieldNamed(fields, m[2])
		if f == nil {
			t.Errorf("%s is no key of this table", m[2])
			continue
		}
		// Keys without a default show an example, and the names are filled in.
		given := slices.Contains([]string{"name", "endpoint"}, f.name)
		if optional := m[1] == "#"; optional == f.required && !given {
			t.Errorf("%s: commented out %t, required %t", line, optional, f.required)
		}
		if m[1] == "#" && f.value != "" && m[3] != f.value {
			t.Errorf("%s shows %s, and %s is the default", f.name, m[3], f.value)
		}
		if above := strings.Split(text, "\n")[max(0, i-1)]; !strings.HasPrefix(above, "#") {
			t.Errorf("%s has no explanation above it", f.name)
		}
	}
	want := names(fields)
	slices.Sort(want)
	slices.Sort(keys)
	if !slices.Equal(keys, want) {
		t.Errorf("the template has\n%q, the schema\n%q", keys, want)
	}
}

// TestTemplateIsValidWithEveryExample takes the # from each optional key.
func TestTemplateIsValidWithEveryExample(t *testing.T) {
	text := filledTemplate(t)
	n := len(optionalKey.FindAllString(text, -1))
	if want := len(tunnelFields) + len(peerFields) - 7; n != want { // seven are not commented out
		t.Errorf("%d optional keys, not %d", n, want)
	}
	for _, fixed := range []bool{false, true} { // one size, or bounds of it
		all := optionalKey.ReplaceAllStringFunc(text, func(line string) string {
			bound := strings.HasPrefix(line, "#max_plpmtu") || strings.HasPrefix(line, "#min_plpmtu")
			if size := strings.HasPrefix(line, "#plpmtu"); fixed && bound || !fixed && size {
				return line
			}
			return strings.TrimPrefix(line, "#")
		})
		c, err := Parse("f", []byte(all), func(path string) ([]byte, error) {
			if strings.HasSuffix(path, "peer.psk") {
				path = "psk.key"
			}
			return keysByName(path)
		})
		if err != nil {
			t.Errorf("with a fixed size %t: %v", fixed, err)
		} else if p := c.Peers[0]; (p.PLPMTU != 0) != fixed || (p.MaxPLPMTU != 0) == fixed || p.PresharedKey.IsZero() {
			t.Errorf("with a fixed size %t: %+v", fixed, p)
		}
	}
}

// TestQuoteIsReadBack lets any text go through a string of TOML.
func TestQuoteIsReadBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.String().Draw(t, "text")
		root, _ := parseDocument([]byte("x = "+quote(s)), nil)
		v := root.entry("x").value
		if v.data != s || v.text != s {
			t.Fatalf("%q became %q, written as %s", s, v.text, quote(s))
		}
	})
}

// TestTemplateHoldsAnyPath writes a path with quotes, a backslash, a placeholder,
// a tab and Cyrillic letters.
func TestTemplateHoldsAnyPath(t *testing.T) {
	const odd = "/home/\"me\"/back\\slash/@NAME@/\t/ключ/private.key"
	text := strings.Replace(string(Template(DefaultName, odd, ownPublicKey)), "PUT THE PEER'S PUBLIC KEY HERE", otherPublicKey, 1)
	c, err := Parse("/etc/f", []byte(text), keysByName)
	check(t, err)
	if c.Tunnel.PrivateKeyFile != odd {
		t.Errorf("%q became %q", odd, c.Tunnel.PrivateKeyFile)
	}
}
