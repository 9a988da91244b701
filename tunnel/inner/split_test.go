package inner

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/gopacket/gopacket/layers"
	"pgregory.net/rapid"
)

var epoch = time.Unix(1_000_000, 0)

func splitAll(t testing.TB, b []byte, size int) (payloads [][]byte) {
	t.Helper()
	var s Splitter
	if err := s.Split(parsed(t, b), size); err != nil {
		t.Fatal(err)
	}
	for {
		payload, ok := s.Next(nil)
		if !ok {
			return payloads
		}
		if len(payload) > size {
			t.Fatalf("%d bytes, size %d", len(payload), size)
		}
		payloads = append(payloads, payload)
	}
}

// TestSplitPacketsArriveWhole splits packets, and loses, duplicates (as the
// replay window does not let through) and reorders nothing, some, or all.
func TestSplitPacketsArriveWhole(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		type sent struct {
			seq     uint32
			packet  int
			payload []byte
		}
		var onWire []sent
		var packets [][]byte
		seq := rapid.Uint32Range(1, 1<<31).Draw(rt, "seq")
		size := rapid.IntRange(MinSplit, 1500).Draw(rt, "size")
		for i := range rapid.IntRange(1, 4).Draw(rt, "packets") {
			payload := counted(rapid.IntRange(0, 3000).Draw(rt, "payload"))
			payload = append(payload, byte(i))
			b := udpPacket(t, drawIP(rt, layers.IPProtocolUDP), payload)
			packets = append(packets, b)
			for _, p := range splitAll(t, b, size) {
				seq += uint32(rapid.IntRange(1, 2).Draw(rt, "gap"))
				onWire = append(onWire, sent{seq, i, p})
			}
		}
		lost := rapid.IntRange(-1, len(onWire)-1).Draw(rt, "lost")
		displace := rapid.IntRange(0, 3).Draw(rt, "displace")
		for i := range onWire {
			j := min(i+rapid.IntRange(0, displace).Draw(rt, "by"), len(onWire)-1)
			if i != lost && j != lost {
				onWire[i], onWire[j] = onWire[j], onWire[i]
			}
		}
		var r Reassembler
		got := make(map[int]int)
		for i, s := range onWire {
			if i == lost || len(onWire) > reassemblySlots {
				continue
			}
			err := r.Add(s.seq, s.payload, epoch, func(packet []byte) {
				for i, want := range packets {
					if bytes.Equal(packet, want) {
						got[i]++
						return
					}
				}
				rt.Fatalf("a packet that nobody sent: %x", packet)
			})
			if err != nil {
				rt.Fatal(err)
			}
		}
		for i := range packets {
			want := 1
			if lost >= 0 && onWire[lost].packet == i || len(onWire) > reassemblySlots {
				want = 0
			}
			// Packets that are equal stand for each other.
			if got[i] != want && !hasEqual(packets, i) {
				rt.Fatalf("packet %d of %d arrived %d times, want %d (lost %d)", i, len(packets), got[i], want, lost)
			}
		}
	})
}

func hasEqual(packets [][]byte, i int) bool {
	for j := range packets {
		if j != i && bytes.Equal(packets[i], packets[j]) {
			return true
		}
	}
	return false
}

func TestReassemblerReadsWhatOthersAggregate(t *testing.T) {
	// RFC 9347 lets a payload end one packet, hold others, and begin a last.
	a := udpPacket(t, ip4(layers.IPProtocolUDP), counted(300))
	b := udpPacket(t, ip6(layers.IPProtocolUDP), counted(20))
	c := udpPacket(t, ip4(layers.IPProtocolUDP), counted(400))
	first := append([]byte{0, 0, 0, 0}, a[:100]...)
	second := append([]byte{0, 0, 0, byte(len(a) - 100)}, a[100:]...)
	second = append(append(second, b...), c[:50]...)
	third := append([]byte{0, 0, byte((len(c) - 50) >> 8), byte(len(c) - 50)}, c[50:]...)
	third = append(third, make([]byte, 30)...) // padding
	for _, order := range [][]int{{0, 1, 2}, {2, 1, 0}, {1, 0, 2}, {2, 0, 1}} {
		var r Reassembler
		got := make(map[string]int)
		for _, i := range order {
			if err := r.Add(uint32(10+i), [][]byte{first, second, third}[i], epoch, func(p []byte) { got[string(p)]++ }); err != nil {
				t.Fatal(err)
			}
		}
		if len(got) != 3 || got[string(a)] != 1 || got[string(b)] != 1 || got[string(c)] != 1 {
			t.Errorf("order %v: %d packets", order, len(got))
		}
	}
}

func TestReassemblerForgets(t *testing.T) {
	b := udpPacket(t, ip4(layers.IPProtocolUDP), counted(2000))
	payloads := splitAll(t, b, 1200)
	deliver := func(n *int) func([]byte) { return func([]byte) { *n++ } }
	t.Run("what comes too late", func(t *testing.T) {
		var r Reassembler
		n := 0
		r.Add(1, payloads[0], epoch, deliver(&n))
		r.Add(2, payloads[1], epoch.Add(ReassemblyTime+1), deliver(&n))
		if n != 0 {
			t.Error("delivered")
		}
	})
	t.Run("the oldest of too many", func(t *testing.T) {
		var r Reassembler
		n := 0
		r.Add(1, payloads[0], epoch, deliver(&n))
		for i := range reassemblySlots {
			r.Add(uint32(100+10*i), payloads[0], epoch, deliver(&n))
		}
		r.Add(2, payloads[1], epoch, deliver(&n))
		if n != 0 {
			t.Error("delivered")
		}
	})
	t.Run("what is too far apart", func(t *testing.T) {
		var r Reassembler
		n := 0
		r.Add(1, payloads[0], epoch, deliver(&n))
		r.Add(2+maxGap, payloads[1], epoch, deliver(&n))
		if n != 0 {
			t.Error("delivered")
		}
	})
}

func TestMalformedAggfragPayloads(t *testing.T) {
	for name, b := range map[string][]byte{
		"empty":                   {},
		"half a header":           {0, 0, 0},
		"another sub-type":        {1, 0, 0, 0, 0x45},
		"a reserved bit":          {0, 1, 0, 0, 0x45},
		"a block of no IP":        {0, 0, 0, 0, 0x55, 0, 0, 0},
		"a block without length":  {0, 0, 0, 0, 0x45, 0, 0},
		"a length below a header": {0, 0, 0, 0, 0x45, 0, 0, 19},
	} {
		var r Reassembler
		if err := r.Add(1, b, epoch, func([]byte) { t.Errorf("%s: delivered", name) }); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	var s Splitter
	if err := s.Split(parsed(t, udpPacket(t, ip4(layers.IPProtocolUDP), counted(2000))), MinSplit-1); !errors.Is(err, ErrTooSmall) {
		t.Error(err)
	}
}

func FuzzReassemble(f *testing.F) {
	b := udpPacket(f, ip4(layers.IPProtocolUDP), counted(500))
	for _, p := range splitAll(f, b, 200) {
		f.Add(p, p, uint32(1), uint32(2))
	}
	f.Fuzz(func(t *testing.T, a, b []byte, first, second uint32) {
		var r Reassembler
		total := 0
		deliver := func(p []byte) { total += len(p) }
		for range 3 {
			r.Add(first, a, epoch, deliver)
			r.Add(second, b, epoch, deliver)
			first, second = second+1, first+1
		}
		if total > 3*(len(a)+len(b)) {
			t.Errorf("%d bytes out of 3 times %d and %d", total, len(a), len(b))
		}
	})
}
