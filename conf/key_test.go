package conf

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"testing"
)

// fragments are parts of a key in the ways that it might be printed, each a
// quarter of the whole and so not anywhere by chance.
func fragments(k [keySize]byte) []string {
	var list []string
	for _, s := range []string{
		base64.StdEncoding.EncodeToString(k[:]), base64.URLEncoding.EncodeToString(k[:]),
		hex.EncodeToString(k[:]), strings.ToUpper(hex.EncodeToString(k[:])),
		fmt.Sprint(k[:]), fmt.Sprintf("%#v", k[:]), fmt.Sprintf("% x", k[:]), string(k[:]),
	} {
		length := len(s) / 4
		for i := 0; i+length <= len(s); i++ {
			list = append(list, s[i:i+length])
		}
	}
	return list
}

// checkHidden wants no part of the keys in a text.
func checkHidden(t testing.TB, text string, keys ...[keySize]byte) {
	t.Helper()
	for _, k := range keys {
		for _, f := range fragments(k) {
			if strings.Contains(text, f) {
				t.Errorf("%q of a key is in %q", f, text)
				return
			}
		}
	}
}

func TestSecretsDoNotPrintThemselves(t *testing.T) {
	c, err := Parse("f", []byte(smallest+smallestPeer+"preshared_key_file = \"psk.key\"\n"), keysByName)
	check(t, err)
	private, psk := decoded(t, privateKey), decoded(t, presharedKey)
	if c.Tunnel.PrivateKey != private || c.Peers[0].PresharedKey != psk {
		t.Fatal("not the keys that are looked for")
	}
	for _, format := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%b", "%o", "%c", "%U"} {
		for _, v := range []any{c.Tunnel.PrivateKey, &c.Tunnel.PrivateKey, *c, c, c.Tunnel, c.Peers} {
			checkHidden(t, fmt.Sprintf(format, v), private, psk)
		}
	}
	if got := fmt.Sprintf("%v %s %x", c.Tunnel.PrivateKey, c.Tunnel.PrivateKey, c.Tunnel.PrivateKey); got != "(hidden) (hidden) (hidden)" {
		t.Error(got)
	}
	if got := c.Tunnel.PrivateKey.String(); got != hidden {
		t.Error(got)
	}
	text, err := json.Marshal(c)
	check(t, err)
	checkHidden(t, string(text), private, psk)
	if !strings.Contains(string(text), `"PrivateKey":"(hidden)"`) {
		t.Errorf("no %s in %s", hidden, text)
	}
	var b strings.Builder
	for _, log := range []*slog.Logger{slog.New(slog.NewTextHandler(&b, nil)), slog.New(slog.NewJSONHandler(&b, nil))} {
		log.Info("x", "key", c.Tunnel.PrivateKey, "config", c)
	}
	checkHidden(t, b.String(), private, psk)
}

func TestPublicKeysPrintAsInAFile(t *testing.T) {
	k := Key(decoded(t, otherPublicKey))
	if k.String() != otherPublicKey {
		t.Error(k.String())
	}
	if text, err := json.Marshal(k); err != nil || string(text) != `"`+otherPublicKey+`"` {
		t.Errorf("%s, error %v", text, err)
	}
}

func TestParseKey(t *testing.T) {
	whole := decoded(t, privateKey)
	if k, err := ParseKey(privateKey); err != nil || k != whole {
		t.Errorf("a key: %v", err)
	}
	for i := range privateKey {
		if _, err := ParseKey(privateKey[:i]); err == nil {
			t.Errorf("%d characters are a key", i)
		}
		if _, err := ParseKey(privateKey[:i] + "!" + privateKey[i+1:]); err == nil {
			t.Errorf("a key with an exclamation mark at %d is one", i)
		}
	}
	// The last character before = holds two bits that mean nothing: one
	// spelling of a key is enough.
	if _, err := ParseKey(privateKey[:42] + "V="); err == nil {
		t.Error("a key has two spellings")
	}
}

func TestPublicIsThatOfTheKey(t *testing.T) {
	if got := SecretKey(decoded(t, privateKey)).public(); got != decoded(t, ownPublicKey) {
		t.Error(got)
	}
}

// TestPossible, on every coset of the public keys: on the curve eight, of which one
// is theirs, and the twist (RFC 7748 section 6.1 has the points of small order).
func TestPossible(t *testing.T) {
	for _, test := range []struct {
		name, key string // in base64, or in hexadecimal
		want      bool
	}{
		{"a public key", otherPublicKey, true},
		{"another", ownPublicKey, true},
		{"a public key with the form of a private one", clampedPublicKey, true},
		{"the base point", "0900000000000000000000000000000000000000000000000000000000000000", true},
		{"a private key", privateKey, false},
		{"another private key", misplacedKey, false},
		{"a preshared key", presharedKey, false},
		{"a public key with a typing error", "U" + otherPublicKey[1:], false},
		{"zero, which has order 2", "0000000000000000000000000000000000000000000000000000000000000000", false},
		{"one, which has order 4", "0100000000000000000000000000000000000000000000000000000000000000", false},
		{"a point of order 8", "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800", false},
		{"the other one", "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157", false},
		{"the base point and a point of order 2", "12c7711cc7711cc7711cc7711cc7711cc7711cc7711cc7711cc7711cc7711c47", false},
		{"the base point and a point of order 4", "9082d437011e6b8107124deb516a0f441db7a2dc465f3852cb54831d11325121", false},
		{"the base point and a point of order 8", "34fc6cb7c8de58977770d95216ccdc6c8590becd919c07599414563b4ba4470f", false},
		{"a point of the twist", "0200000000000000000000000000000000000000000000000000000000000000", false},
		{"-1, which has order 4 on the twist", "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", false},
		{"p, which is 0", "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", false},
		{"p+1, which is 1", "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", false},
		{"p+9, the base point again", "f6ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", false},
		{"the base point with bit 255", "0900000000000000000000000000000000000000000000000000000000000080", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			b, err := hex.DecodeString(test.key)
			if err != nil {
				b, err = base64.StdEncoding.DecodeString(test.key)
			}
			check(t, err)
			if got := Key(b).possible(); got != test.want {
				t.Errorf("possible: %v", got)
			}
		})
	}
}

// TestMostPrivateKeysCannotBePublic: all but one in 16.
func TestMostPrivateKeysCannotBePublic(t *testing.T) {
	const keys = 800
	random, alike := rand.New(rand.NewPCG(5, 6)), 0
	for range keys {
		var secret SecretKey
		for i := range secret {
			secret[i] = byte(random.Uint32())
		}
		secret[0] &^= 7
		secret[keySize-1] = secret[keySize-1]&0x3f | 0x40
		if Key(secret).possible() {
			alike++
		}
	}
	if alike < keys/32 || alike > keys/8 {
		t.Errorf("%d of %d private keys can be public ones, not one in 16", alike, keys)
	}
}

// TestNoPublicKeyIsTakenForAPrivateOne draws keys until some look like private
// ones, as one in 16 does, and uses each as a peer's.
func TestNoPublicKeyIsTakenForAPrivateOne(t *testing.T) {
	const keys = 800
	random, alike := rand.New(rand.NewPCG(3, 4)), 0
	for range keys {
		var secret SecretKey
		for i := range secret {
			secret[i] = byte(random.Uint32())
		}
		public := secret.public()
		if SecretKey(public).clamped() {
			alike++
		}
		if _, err := Parse("f", []byte(strings.Replace(smallest+smallestPeer, otherPublicKey, public.String(), 1)), keysByName); err != nil {
			t.Errorf("%s: %v", public, err)
		}
	}
	if alike < keys/32 || alike > keys/8 {
		t.Errorf("%d of %d public keys look like private ones, not one in 16", alike, keys)
	}
}

func BenchmarkPossible(b *testing.B) {
	k := Key(decoded(b, otherPublicKey))
	for b.Loop() {
		k.possible()
	}
}
