package inner

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"testing"
)

// slowSum is RFC 1071 as it is written there.
func slowSum(b []byte) uint16 {
	s := uint64(0)
	for ; len(b) > 1; b = b[2:] {
		s += uint64(binary.BigEndian.Uint16(b))
	}
	if len(b) == 1 {
		s += uint64(b[0]) << 8
	}
	for s>>16 != 0 {
		s = s>>16 + s&0xffff
	}
	return uint16(s)
}

func TestSumIsThatOfRFC1071(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for n := range 2000 {
		noise := make([]byte, n)
		for i := range noise {
			noise[i] = byte(random.Uint32())
		}
		for _, b := range [][]byte{noise, bytes.Repeat([]byte{0xff}, n), make([]byte, n)} {
			var field [2]byte
			sum(0).add(b).putPartial(field[:])
			// 0 and 0xffff are one number in ones' complement.
			if got, want := binary.BigEndian.Uint16(field[:]), slowSum(b); got != want && got%0xffff != want%0xffff {
				t.Fatalf("%d bytes: %#04x, want %#04x", n, got, want)
			}
			// In two steps, as with a pseudo-header in front.
			even := n / 2 &^ 1
			if got, want := sum(0).add(b[:even]).add(b[even:]).fold(), sum(0).add(b).fold(); got%0xffff != want%0xffff {
				t.Fatalf("%d bytes in two steps: %#04x, want %#04x", n, got, want)
			}
		}
	}
}

func BenchmarkSum(b *testing.B) {
	segment := make([]byte, 1418)
	b.SetBytes(int64(len(segment)))
	b.ReportAllocs()
	for b.Loop() {
		sum(0).add(segment)
	}
}
