package inner

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/gopacket/gopacket/layers"
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

// TestThePseudoHeader compares with the RFCs' pseudo-header, built and summed as
// they write it.
func TestThePseudoHeader(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for range 1000 {
		header := make([]byte, 40)
		for i := range header {
			header[i] = byte(random.Uint32())
		}
		length, protocol := random.IntN(1<<17), uint8(random.Uint32())
		header[0] = 4<<4 | header[0]&15
		want := slices.Concat(header[12:20], []byte{0, protocol}, binary.BigEndian.AppendUint32(nil, uint32(length)))
		if random.IntN(2) == 0 {
			header[0] = 6<<4 | header[0]&15
			want = slices.Concat(header[8:40], binary.BigEndian.AppendUint32(nil, uint32(length)), []byte{0, 0, 0, protocol})
		}
		var field [2]byte
		pseudoHeader(header, protocol, length).putPartial(field[:])
		if got, want := binary.BigEndian.Uint16(field[:]), slowSum(want); got%0xffff != want%0xffff {
			t.Fatalf("%x, protocol %d, %d bytes: %#04x, want %#04x", header, protocol, length, got, want)
		}
	}
}

func TestDamageToAnIPv4HeaderIsSeen(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	for size := ipv4HeaderSize; size <= 60; size += 4 {
		for range 100 {
			b := make([]byte, size)
			for i := range b {
				b[i] = byte(random.Uint32())
			}
			b[0], b[10], b[11] = 4<<4|byte(size/4), 0, 0
			binary.BigEndian.PutUint16(b[10:], ^slowSum(b))
			p := &Packet{Bytes: b, Header: size}
			if !headerValid(p) {
				t.Fatalf("%x is right", b)
			}
			bit := random.IntN(size * 8)
			b[bit/8] ^= 1 << (bit % 8)
			if headerValid(p) {
				t.Fatalf("bit %d of %x is wrong", bit, b)
			}
			b[bit/8] ^= 1 << (bit % 8)
			want := bytes.Clone(b)
			setIPv4Checksum(b)
			if !bytes.Equal(b, want) {
				t.Fatalf("computed anew: %x, want %x", b, want)
			}
		}
	}
}

func BenchmarkChecksumValid(b *testing.B) {
	p := parsed(b, tcpPacket(b, ip4(layers.IPProtocolTCP), segment(), counted(1386)))
	b.ReportAllocs()
	for b.Loop() {
		if !checksumValid(p) {
			b.Fatal("wrong")
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
