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
	if k, err := parseKey(privateKey); err != nil || k != whole {
		t.Errorf("a key: %v", err)
	}
	for i := range privateKey {
		if _, err := parseKey(privateKey[:i]); err == nil {
			t.Errorf("%d characters are a key", i)
		}
		if _, err := parseKey(privateKey[:i] + "!" + privateKey[i+1:]); err == nil {
			t.Errorf("a key with an exclamation mark at %d is one", i)
		}
	}
	// The last character before = holds two bits that mean nothing: one
	// spelling of a key is enough.
	if _, err := parseKey(privateKey[:42] + "V="); err == nil {
		t.Error("a key has two spellings")
	}
}

func TestPublicIsThatOfTheKey(t *testing.T) {
	if got := SecretKey(decoded(t, privateKey)).public(); got != decoded(t, ownPublicKey) {
		t.Error(got)
	}
}

// TestPossible: RFC 7748 section 6.1 on points of small order, section 5 on
// numbers of 255 bits.
func TestPossible(t *testing.T) {
	for _, s := range []string{ownPublicKey, otherPublicKey, clampedPublicKey} {
		if !Key(decoded(t, s)).possible() {
			t.Errorf("%s is a public key", s)
		}
	}
	for _, s := range []string{
		"0000000000000000000000000000000000000000000000000000000000000000",
		"0100000000000000000000000000000000000000000000000000000000000000",
		"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", // p-1
		"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", // p, which is 0
		"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", // p+1, which is 1
		"e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
		"5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
		"09000000000000000000000000000000000000000000000000000000000000" + "80", // 256 bits
	} {
		b, err := hex.DecodeString(s)
		check(t, err)
		if Key(b).possible() {
			t.Errorf("%s is no public key", s)
		}
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
