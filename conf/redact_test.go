package conf

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"unicode/utf8"

	"fathom/test/tier"

	"pgregory.net/rapid"
)

// TestNoErrorHoldsAKey puts a private key in every place of a file, in the
// ways that people get keys wrong.
func TestNoErrorHoldsAKey(t *testing.T) {
	tier.Select(t, tier.Quick, tier.Native)
	secret := decoded(t, misplacedKey)
	spellings := []string{
		misplacedKey, strings.TrimRight(misplacedKey, "="), misplacedKey[1:], misplacedKey[:40], misplacedKey + "=",
		misplacedHexKey, strings.ToUpper(misplacedHexKey), "0x" + misplacedHexKey,
		base64.URLEncoding.EncodeToString(secret[:]), "key:" + misplacedKey, "~" + misplacedKey, "/" + misplacedKey, " " + misplacedKey,
	}
	reported := 0
	judge := func(text string) {
		_, err := Parse("f", []byte(text), keysByName)
		if err != nil {
			reported++
			checkHidden(t, err.Error(), secret)
		}
	}
	for _, s := range spellings {
		for _, value := range []string{`"%s"`, `'%s'`, `"""%s"""`, `%s`, `["%s"]`, `[%s]`, `[["%s"]]`, `{x = "%s"}`, `{"%s" = 1}`, `"%s`, `["%s"`, `"%s" # "`, `"%s":4500`, `"%s:4500"`, `"%s/32"`, `"\u%s"`} {
			value = fmt.Sprintf(value, s)
			for _, key := range names(tunnelFields) {
				judge(strings.Replace(smallest, "\n"+key+" =", "\n"+key+"_ =", 1) + key + " = " + value + "\n")
			}
			for _, key := range names(peerFields) {
				judge(smallest + strings.Replace(smallestPeer, "\n"+key+" =", "\n"+key+"_ =", 1) + key + " = " + value + "\n")
			}
			judge(value + "\n" + smallest)
			judge("x = " + value + "\n" + smallest)
			judge(smallest + value + " = 1\n")
			judge(smallest + "private_key = " + value + "\n")
			judge(smallest + "a." + value + " = 1\n" + "a." + value + " = 1\n")
			judge(smallest + "[" + value + "]\n" + value + " = 1\n")
		}
	}
	if least := 5000; reported < least {
		t.Errorf("only %d mistakes were made", reported)
	}
}

// TestNoErrorHoldsWhatAKeyFileHolds, whether it is a key or not.
func TestNoErrorHoldsWhatAKeyFileHolds(t *testing.T) {
	reported := 0
	rapid.Check(t, func(t *rapid.T) {
		secret := [keySize]byte(rapid.SliceOfN(rapid.Byte(), keySize, keySize).Draw(t, "secret"))
		content := base64.StdEncoding.EncodeToString(secret[:])
		content = rapid.SampledFrom([]string{content, content[1:], content + "\nx", hex.EncodeToString(secret[:]), string(secret[:]), "-----BEGIN X-----\n" + content}).Draw(t, "content")
		_, err := Parse("f", []byte(smallest+smallestPeer+"preshared_key_file = \"psk.key\"\n"), func(string) ([]byte, error) { return []byte(content), nil })
		if err == nil {
			return
		}
		reported++
		for _, s := range []string{base64.StdEncoding.EncodeToString(secret[:]), hex.EncodeToString(secret[:])} {
			for i := 0; i+8 <= len(s); i++ {
				if part := s[i : i+8]; strings.Contains(err.Error(), part) && strings.Trim(part, "A0") != "" {
					t.Fatalf("%q of the key is in %v", part, err)
				}
			}
		}
	})
	if reported == 0 {
		t.Error("no mistake was made")
	}
}

// TestKeysAreHidden draws keys in the notations that somebody might paste. As
// keys are written here, and in hexadecimal, none may be shown; without the
// padding the redaction has to guess, and may miss one in two hundred.
func TestKeysAreHidden(t *testing.T) {
	const keys = 20_000
	random := rand.New(rand.NewPCG(1, 2))
	for _, n := range []struct {
		name   string
		encode func([]byte) string
		missed int // at most
	}{
		{"base64", base64.StdEncoding.EncodeToString, 0},
		{"base64 for URLs", base64.URLEncoding.EncodeToString, 0},
		{"hexadecimal", hex.EncodeToString, 0},
		{"base64 without padding", base64.RawStdEncoding.EncodeToString, keys / 200},
		{"base64 for URLs without padding", base64.RawURLEncoding.EncodeToString, keys / 200},
	} {
		for _, text := range []string{"%s", `"%s" is not a cipher`, "/etc/%s", "%s:4500"} {
			var missed int
			var last string
			for range keys {
				key := make([]byte, keySize)
				for i := range key {
					key[i] = byte(random.Uint32())
				}
				s := n.encode(key)
				if got := presentable(fmt.Sprintf(text, s)); strings.Contains(got, s[10:20]) || !strings.Contains(got, hidden) {
					missed++
					last = got
				}
			}
			t.Logf("%s in %s: %d of %d shown", n.name, text, missed, keys)
			if missed > n.missed {
				t.Errorf("%s in %s: %d of %d shown, the last as %s", n.name, text, missed, keys, last)
			}
		}
	}
}

func TestWordsAndPathsAreShown(t *testing.T) {
	for _, s := range []string{
		"", "storage", "/etc/fathom/private.key", "/usr/local/share/Fathom2/configuration/keys/production/Storage/private.key",
		"ec2-203-0-113-25.compute-1.amazonaws.com:4500", "550e8400-e29b-41d4-a716-446655440000",
		"2001:db8:1234:5678:9abc:def0:1234:5678/128", "[2001:db8::1]:4500",
		"there are name, private_key_file, listen, address, ciphers, rekey_after, rekey_after_packets",
		strings.Repeat("a", maxShown), "/tmp/TestInvalidFilesAreReported1234567890/001/private.key", "fäthom …",
	} {
		if got := presentable(s); got != s {
			t.Errorf("%s became %s", s, got)
		}
	}
	paths, err := os.ReadDir("testdata/invalid")
	check(t, err)
	for _, p := range paths {
		if got := presentable(p.Name()); got != p.Name() {
			t.Errorf("%s became %s", p.Name(), got)
		}
	}
}

func TestPresentableIsShortAndPrintable(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := strings.Repeat(rapid.String().Draw(t, "text"), rapid.SampledFrom([]int{1, 10, 1000}).Draw(t, "times"))
		got := presentable(s)
		if len(got) > maxShown+len("…") || !utf8.ValidString(got) || strings.ContainsAny(got, "\n\r\x1b\x00\x7f") {
			t.Fatalf("%d bytes: %q", len(got), got)
		}
	})
	if got := presentable("a\nf:1: forged\x1b[2J"); got != "a\uFFFDf:1: forged\uFFFD[2J" {
		t.Errorf("%q", got)
	}
	long := "begin" + strings.Repeat("é", maxShown) + "end"
	if got := presentable(long); !strings.HasPrefix(got, "begin") || !strings.HasSuffix(got, "end") || !strings.Contains(got, "…") {
		t.Errorf("%q", got)
	}
}

// TestKeysAloneOnALineAreHidden pastes keys as keys and headers of TOML, which
// they are not if they have a plus sign or a slash.
func TestKeysAloneOnALineAreHidden(t *testing.T) {
	const keys = 300
	random, shown := rand.New(rand.NewPCG(5, 6)), 0
	for range keys {
		var secret [keySize]byte
		for i := range secret {
			secret[i] = byte(random.Uint32())
		}
		s := base64.StdEncoding.EncodeToString(secret[:])
		_, err := Parse("f", []byte(s+"\n"+s+" = 1\n["+s+"]\n[["+s+"\n"+s[:43]+"\n"), keysByName)
		if err == nil {
			t.Fatal("no mistake")
		}
		for i := 0; i+11 <= len(s); i++ {
			if strings.Contains(err.Error(), s[i:i+11]) {
				shown++
				break
			}
		}
	}
	if most := keys / 50; shown > most { // without its padding a key is a guess
		t.Errorf("%d of %d keys are shown", shown, keys)
	}
}
