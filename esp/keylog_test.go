package esp

import (
	"net/netip"
	"testing"
)

func TestKeyLogLine(t *testing.T) {
	keymat := make([]byte, KeyMaterialSize)
	for i := range keymat {
		keymat[i] = byte(i)
	}
	got := string(AppendKeyLogLine(nil, netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2"), 0xabc, AES256GCM, keymat))
	const want = `"IPv4","192.0.2.1","192.0.2.2","0x00000abc","AES-GCM with 16 octet ICV [RFC4106]",` +
		`"0x000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20212223","NULL",""` + "\n"
	if got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
