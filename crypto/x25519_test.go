package crypto

import (
	"bytes"
	"testing"

	"github.com/flynn/noise"
)

// TestX25519 against noise.DH25519.
func TestX25519(t *testing.T) {
	x := new(x25519)
	for n := range byte(3) {
		ours, err := x.GenerateKeypair(seeded(n))
		if err != nil {
			t.Fatal(err)
		}
		want, err := noise.DH25519.GenerateKeypair(seeded(n))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(ours.Private, want.Private) || !bytes.Equal(ours.Public, want.Public) {
			t.Errorf("key pair %x, want %x", ours, want)
		}
		far, err := noise.DH25519.GenerateKeypair(seeded(100 + n))
		if err != nil {
			t.Fatal(err)
		}
		got, err := x.DH(ours.Private, far.Public)
		if err != nil {
			t.Fatal(err)
		}
		if want, err := noise.DH25519.DH(ours.Private, far.Public); err != nil || !bytes.Equal(got, want) {
			t.Errorf("secret %x, want %x, %v", got, want, err)
		}
		if _, err := x.DH(ours.Private, make([]byte, KeySize)); err == nil {
			t.Error("a point that yields no secret is accepted")
		}
		if _, err := x.DH(ours.Private, far.Public[1:]); err == nil {
			t.Error("a point of 31 bytes is accepted")
		}
	}
	if len(x.keys) != 3 {
		t.Errorf("%d keys of 3 are kept", len(x.keys))
	}
}

// BenchmarkHandshake is the work of each end. Beside the products of keys there
// is little else: an initiator makes 7, a responder 5.
func BenchmarkHandshake(b *testing.B) {
	e := newEnds(b)
	b.Run("initiator", func(b *testing.B) {
		for b.Loop() {
			i, message := e.initiate(b, PresharedKey{}, Cookie{})
			b.StopTimer()
			response, _ := e.respond(b, message, PresharedKey{})
			b.StartTimer()
			if _, err := i.Finish(response); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("responder", func(b *testing.B) {
		for b.Loop() {
			b.StopTimer()
			_, message := e.initiate(b, PresharedKey{}, Cookie{})
			b.StartTimer()
			e.respond(b, message, PresharedKey{})
		}
	})
}
