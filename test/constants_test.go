//go:build linux

package test

import (
	"crypto/rand"
	"slices"
	"testing"

	"fathom/conf"
	"fathom/crypto"
	"fathom/esp"
	"fathom/test/tier"
)

// TestPackagesAgreeOnConstants: conf knows neither esp nor crypto, and names
// their ciphers and the size of their keys itself.
func TestPackagesAgreeOnConstants(t *testing.T) {
	tier.Select(t, tier.Quick, tier.EitherWay)
	private, err := crypto.GeneratePrivateKey(rand.Reader)
	check(t, err)
	cfg, err := conf.Parse("f", []byte("[tunnel]\nprivate_key_file = \"k\"\naddress = [\"10.77.0.1/24\"]\n"),
		func(string) ([]byte, error) { return []byte(private.Encode()), nil })
	check(t, err)
	var suites []string
	for _, s := range esp.Suites() {
		suites = append(suites, s.String())
	}
	if got := cfg.Tunnel.Ciphers; !slices.Equal(got, suites) {
		t.Errorf("conf has the ciphers %q, esp %q", got, suites)
	}
	if [crypto.KeySize]byte(cfg.Tunnel.PrivateKey) != private || len(conf.Key{}) != crypto.KeySize || len(conf.SecretKey{}) != crypto.KeySize {
		t.Errorf("keys of %d and %d bytes in conf, of %d in crypto", len(conf.Key{}), len(conf.SecretKey{}), crypto.KeySize)
	}
}
