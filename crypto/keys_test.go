package crypto

import (
	"bytes"
	"encoding/base64"
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

func TestKeysAreWrittenInBase64(t *testing.T) {
	private, err := GeneratePrivateKey(seeded(1))
	if err != nil {
		t.Fatal(err)
	}
	public, err := private.Public()
	if err != nil {
		t.Fatal(err)
	}
	psk, err := GeneratePresharedKey(seeded(2))
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string][KeySize]byte{private.Encode(): private, public.String(): public, psk.Encode(): psk} {
		if got, err := base64.StdEncoding.DecodeString(text); err != nil || !bytes.Equal(got, want[:]) {
			t.Errorf("%s is %x, error %v, want %x", text, got, err, want)
		}
	}
}
