package gcm

import (
	"bytes"
	"crypto/rand"
	"testing"
)

func TestQuick(t *testing.T) {
	key := make([]byte, 32)
	rand.Read(key)
	s, _ := newStandard(key)
	for _, m := range makers[:len(makers)-1] {
		c, _ := m.make(key)
		bad := 0
		for _, al := range []int{0, 8, 5, 16, 33} {
			for n := 0; n < 1200 && bad < 8; n++ {
				p := make([]byte, n)
				rand.Read(p)
				a := make([]byte, al)
				rand.Read(a)
				nonce := make([]byte, 12)
				rand.Read(nonce)
				want := s.Seal(nil, nonce, p, a)
				got := c.Seal(nil, nonce, p, a)
				if !bytes.Equal(want, got) {
					bad++
					i := 0
					for i < len(got) && got[i] == want[i] {
						i++
					}
					t.Errorf("%s n=%d a=%d differ at %d", m.name, n, al, i)
				}
				o, err := c.Open(nil, nonce, want, a)
				if err != nil || !bytes.Equal(o, p) {
					bad++
					t.Errorf("%s open n=%d a=%d %v", m.name, n, al, err)
				}
			}
		}
	}
}
