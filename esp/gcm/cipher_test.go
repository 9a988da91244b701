package gcm

import (
	"bytes"
	"slices"
	"testing"

	"fathom/test/tier"
)

// TestForgeries: a change of any bit of a packet is noticed, and nothing of its text
// is left.
func TestForgeries(t *testing.T) {
	const length = 70
	each(t, func(t *testing.T, m maker) {
		c := mustMake(t, m, random(1, KeySize))
		nonce, header := random(2, NonceSize), random(3, additionalSize)
		sealed := c.Seal(nil, nonce, random(4, length), header)
		parts := [][]byte{nonce, header, sealed}
		for _, part := range parts {
			for bit := range 8 * len(part) {
				part[bit/8] ^= 1 << (bit % 8)
				text := slices.Clone(sealed)
				got, err := c.Open(text[:0], nonce, text, header)
				if err == nil || got != nil {
					t.Fatalf("a packet with bit %d of %d bytes changed opens", bit, len(part))
				}
				if !bytes.Equal(text[:length], make([]byte, length)) {
					t.Fatalf("after a forgery the text holds %x", text)
				}
				part[bit/8] ^= 1 << (bit % 8)
			}
		}
		for n := range len(sealed) {
			if _, err := c.Open(nil, nonce, sealed[:n], header); err == nil {
				t.Errorf("the first %d bytes of a packet open", n)
			}
		}
		if _, err := c.Open(nil, nonce, sealed, header); err != nil {
			t.Error(err)
		}
	})
}

// TestMisuse: what cipher.AEAD forbids panics.
func TestMisuse(t *testing.T) {
	each(t, func(t *testing.T, m maker) {
		if _, err := m.make(make([]byte, 16)); err == nil {
			t.Error("a key of 16 bytes is accepted")
		}
		c := mustMake(t, m, make([]byte, KeySize))
		if c.NonceSize() != NonceSize || c.Overhead() != TagSize {
			t.Errorf("sizes %d and %d", c.NonceSize(), c.Overhead())
		}
		b := make([]byte, 100)
		nonce := make([]byte, NonceSize)
		for name, misuse := range map[string]func(){
			"a short nonce":                     func() { c.Seal(nil, nonce[1:], b, nil) },
			"a short nonce, opening":            func() { c.Open(nil, nonce[1:], b, nil) },
			"output one byte before the input":  func() { c.Seal(b[:0], nonce, b[1:20], nil) },
			"output one byte behind the input":  func() { c.Open(b[1:1], nonce, b[:40], nil) },
			"output over the additional data":   func() { c.Seal(b[:0], nonce, nil, b[:8]) },
			"a packet without a tag in a batch": func() { c.SealBatch([SaltSize]byte{}, [][]byte{b[:HeaderSize+TagSize-1]}) },
			"the same, opening":                 func() { c.OpenBatch([SaltSize]byte{}, [][]byte{b[:HeaderSize+TagSize-1]}, make([]bool, 1)) },
		} {
			func() {
				defer func() {
					if recover() == nil {
						t.Errorf("%s does not panic", name)
					}
				}()
				misuse()
			}()
		}
	})
}

// TestNoAllocations a packet.
func TestNoAllocations(t *testing.T) {
	tier.Select(t, tier.Measures)
	each(t, func(t *testing.T, m maker) {
		c := mustMake(t, m, make([]byte, KeySize))
		nonce, header, text := make([]byte, NonceSize), make([]byte, additionalSize), make([]byte, 1408, 1500)
		packets, authentic := make([][]byte, 20), make([]bool, 20)
		for i := range packets {
			packets[i] = make([]byte, 200+i)
		}
		if n := testing.AllocsPerRun(100, func() {
			sealed := c.Seal(text[:0], nonce, text, header)
			c.Open(sealed[:0], nonce, sealed, header)
			c.SealBatch([SaltSize]byte{}, packets)
			c.OpenBatch([SaltSize]byte{}, packets, authentic)
		}); n != 0 {
			t.Errorf("%v allocations", n)
		}
	})
}

// TestUse chooses by name, and what is chosen is what New makes.
func TestUse(t *testing.T) {
	t.Cleanup(func() { chosen.Store(nil) })
	if got := Implementation(); got != Implementations()[0] {
		t.Errorf("the first choice is %s of %v", got, Implementations())
	}
	for _, name := range Implementations() {
		if err := Use(name); err != nil || Implementation() != name {
			t.Errorf("Use(%q): %v; in use is %s", name, err, Implementation())
		}
		c, err := New(make([]byte, KeySize))
		if _, plain := c.(standard); err != nil || plain != (name == Standard) {
			t.Errorf("under %s New makes a %T (%v)", name, c, err)
		}
	}
	if err := Use("vaes-1024"); err == nil || Implementation() != Standard {
		t.Errorf("an unknown name: %v; in use is %s", err, Implementation())
	}
}
