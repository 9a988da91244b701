package gcm

import (
	"bytes"
	"testing"

	"golang.org/x/sys/unix"
)

// A guarded place is memory between two pages that nobody may touch: an access
// outside of it ends the test process.
type guarded []byte

func newGuarded(t *testing.T, size int) guarded {
	t.Helper()
	page := unix.Getpagesize()
	inner := (size + page - 1) / page * page
	all, err := unix.Mmap(-1, 0, inner+2*page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Munmap(all) })
	for _, guard := range [][]byte{all[:page], all[page+inner:]} {
		if err := unix.Mprotect(guard, unix.PROT_NONE); err != nil {
			t.Fatal(err)
		}
	}
	return guarded(all[page : page+inner : page+inner])
}

// place returns a copy of b at the beginning or at the end of the memory.
func (g guarded) place(b []byte, atEnd bool) []byte {
	to := g[:len(b):len(b)]
	if atEnd {
		to = g[len(g)-len(b):]
	}
	copy(to, b)
	return to
}

// TestNothingOutsideIsTouched: inputs and outputs lie against pages that may be neither
// read nor written, at either end, for every length up to several groups.
func TestNothingOutsideIsTouched(t *testing.T) {
	const most = 1700
	from, to, header := newGuarded(t, most+TagSize), newGuarded(t, HeaderSize+most+TagSize), newGuarded(t, 64)
	each(t, func(t *testing.T, m maker) {
		c := mustMake(t, m, random(1, KeySize))
		nonce := random(2, NonceSize)
		for n := range most + 1 {
			plain, additional := random(uint64(n), n), random(uint64(n), n%40)
			for _, atEnd := range []bool{false, true} {
				a := header.place(additional, atEnd)
				sealed := c.Seal(to.place(make([]byte, n+TagSize), atEnd)[:0], nonce, from.place(plain, atEnd), a)
				text := from.place(sealed, atEnd)
				opened, err := c.Open(to.place(make([]byte, n), atEnd)[:0], nonce, text, a)
				if err != nil || !bytes.Equal(opened, plain) {
					t.Fatalf("%d bytes: %v", n, err)
				}
				// In place, and in a batch, whose packet is the whole of the place.
				if opened, err = c.Open(text[:0], nonce, text, a); err != nil || !bytes.Equal(opened, plain) {
					t.Fatalf("%d bytes in place: %v", n, err)
				}
				packet := to.place(random(uint64(n), HeaderSize+n+TagSize), atEnd)
				c.SealBatch([SaltSize]byte{}, [][]byte{packet})
				authentic := []bool{false}
				if c.OpenBatch([SaltSize]byte{}, [][]byte{packet}, authentic); !authentic[0] {
					t.Fatalf("%d bytes in a batch: not authentic", n)
				}
			}
		}
	})
}
