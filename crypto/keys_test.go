package crypto

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

// TestSecretsDoNotShowThemselves prints every secret in every way that there
// is.
func TestSecretsDoNotShowThemselves(t *testing.T) {
	secret := [KeySize]byte{}
	for i := range secret {
		secret[i] = byte(0xa0 + i)
	}
	var send [KeyMaterialSize]byte
	copy(send[:], secret[:])
	private, preshared := PrivateKey(secret), PresharedKey(secret)
	shown := []string{private.Encode(), hex.EncodeToString(secret[:4]), strings.ToUpper(hex.EncodeToString(secret[:4])), "160 161", "0xa0, 0xa1", string(secret[:4])}
	for name, value := range map[string]any{
		"a private key": private, "a pointer to it": &private, "a preshared key": preshared, "keys": Keys{Send: send, Receive: send},
		"a struct with them": struct {
			A PrivateKey
			B PresharedKey
			C Keys
		}{private, preshared, Keys{Send: send}},
	} {
		var out bytes.Buffer
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
			fmt.Fprintf(&out, verb+"\n", value)
		}
		slog.New(slog.NewTextHandler(&out, nil)).Info("x", "value", value)
		if !strings.Contains(name, "keys") && !strings.Contains(name, "struct") {
			_ = json.NewEncoder(&out).Encode(value)
			slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "value", value)
		}
		for _, s := range shown {
			if strings.Contains(out.String(), s) {
				t.Errorf("%s shows %q in\n%s", name, s, &out)
			}
		}
	}
}

func TestKeysSurviveTheirText(t *testing.T) {
	private, err := GeneratePrivateKey(seeded(1))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := ParsePrivateKey(private.Encode()); err != nil || got != private {
		t.Error(err)
	}
	public, err := private.Public()
	if err != nil {
		t.Fatal(err)
	}
	if got, err := ParsePublicKey(public.String()); err != nil || got != public {
		t.Error(err)
	}
	psk, err := GeneratePresharedKey(seeded(2))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := ParsePresharedKey(psk.Encode()); err != nil || got != psk {
		t.Error(err)
	}
	for name, text := range map[string]string{
		"empty": "", "too short": "AAAA", "not base64": strings.Repeat("!", 44), "zero": strings.Repeat("A", 43) + "=",
	} {
		if _, err := ParsePublicKey(text); err == nil {
			t.Errorf("%s is a public key", name)
		}
		if _, err := ParsePrivateKey(text); err == nil && name != "zero" {
			t.Errorf("%s is a private key", name)
		} else if err != nil && len(text) > 4 && strings.Contains(err.Error(), text) {
			t.Errorf("the error shows the key: %v", err)
		}
	}
}
