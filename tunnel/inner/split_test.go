package inner

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"
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

// TestSplitPacketsArriveWhole splits packets, many of one size, sends others
// between their payloads, and loses, delays and repeats some of both. No packet
// may arrive that was not sent, or arrive twice. A packet must arrive if nothing
// was lost from its first payload to its last, other packets included.
func TestSplitPacketsArriveWhole(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		type sent struct {
			seq     uint32
			packet  int
			payload []byte // nil: not a payload of fragments
		}
		var onWire []sent
		var packets [][]byte
		seq := rapid.Uint32Range(1, 1<<31).Draw(rt, "seq")
		size := rapid.IntRange(minSplit, 1500).Draw(rt, "size")
		lengths := rapid.SliceOfN(rapid.IntRange(8, 3000), 1, 2).Draw(rt, "lengths")
		for i := range rapid.IntRange(1, 6).Draw(rt, "packets") {
			payload := bytes.Repeat([]byte{byte(i)}, rapid.SampledFrom(lengths).Draw(rt, "length"))
			b := udpPacket(t, ip6(layers.IPProtocolUDP), payload)
			packets = append(packets, b)
			for _, p := range splitAll(t, b, size) {
				for range rapid.SampledFrom([]int{0, 0, 0, 1, 3}).Draw(rt, "between") {
					onWire = append(onWire, sent{seq, i, nil})
					seq++
				}
				onWire = append(onWire, sent{seq, i, p})
				seq++
			}
		}
		lost := make(map[uint32]bool)
		for range rapid.IntRange(0, 3).Draw(rt, "losses") {
			lost[onWire[rapid.IntRange(0, len(onWire)-1).Draw(rt, "lost")].seq] = true
		}
		arriving := slices.Clone(onWire)
		for range rapid.IntRange(0, 4).Draw(rt, "late") {
			// Never so late that its slot has been given to another.
			i := rapid.IntRange(0, len(arriving)-1).Draw(rt, "this")
			late := arriving[i]
			to := min(i+rapid.IntRange(1, 20).Draw(rt, "by"), len(arriving)-1)
			arriving = slices.Insert(slices.Delete(arriving, i, i+1), to, late)
		}
		arrived := make(map[uint32]bool)
		r := Reassembler{Arrived: func(seq uint32) bool { return arrived[seq] }}
		got := make([]int, len(packets))
		last := make([]sent, len(packets)) // the last to arrive of those around a packet
		whole := make([]bool, len(packets))
		for i := range whole {
			whole[i] = true
		}
		for _, s := range arriving {
			if lost[s.seq] {
				whole[s.packet] = false
				continue
			}
			arrived[s.seq] = true
			last[s.packet] = s
			for range rapid.SampledFrom([]int{1, 1, 1, 2}).Draw(rt, "copies") {
				if s.payload == nil {
					continue
				}
				err := r.Add(s.seq, 0, s.payload, epoch, func(packet []byte, _ uint8) {
					i := slices.IndexFunc(packets, func(p []byte) bool { return bytes.Equal(p, packet) })
					if i < 0 {
						rt.Fatalf("delivered, but never sent: %x", packet)
					}
					got[i]++
				})
				if err != nil {
					rt.Fatal(err)
				}
			}
		}
		for i := range packets {
			if got[i] > 1 {
				rt.Fatalf("packet %d arrived %d times", i, got[i])
			}
			// If something else than a payload came last, nothing looks again.
			if whole[i] && last[i].payload != nil && got[i] == 0 {
				rt.Fatalf("packet %d did not arrive", i)
			}
		}
	})
}

// TestALossNeverJoinsTwoPackets of one size: the end of the first and the
// beginning of the second are lost, and the remaining parts would fit.
func TestALossNeverJoinsTwoPackets(t *testing.T) {
	payloads := func(fill byte) [][]byte {
		return splitAll(t, udpPacket(t, ip4(layers.IPProtocolUDP), bytes.Repeat([]byte{fill}, 2000)), 1200)
	}
	a, b := payloads('a'), payloads('b')
	for _, test := range []struct {
		name    string
		arrived func(uint32) bool
	}{
		{"nothing else is known", nil},
		{"one number between them is known", func(seq uint32) bool { return seq == 2 }},
		{"the other is", func(seq uint32) bool { return seq == 3 }},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := Reassembler{Arrived: test.arrived}
			for seq, payload := range map[uint32][]byte{1: a[0], 4: b[1]} {
				if err := r.Add(seq, 0, payload, epoch, func([]byte, uint8) { t.Error("delivered") }); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
	t.Run("a payload goes on with something longer or shorter", func(t *testing.T) {
		for _, continued := range []int{1, len(b[1]) - aggfragHeaderSize - 1, len(b[1]) - aggfragHeaderSize + 1, 65535} {
			other := bytes.Clone(b[1])
			binary.BigEndian.PutUint16(other[2:], uint16(continued))
			for _, order := range [][]int{{0, 1}, {1, 0}} {
				var r Reassembler
				for _, i := range order {
					// The bytes behind the rest may be no IP packet, which is an error.
					_ = r.Add(uint32(i+1), 0, [][]byte{a[0], other}[i], epoch, func([]byte, uint8) { t.Errorf("block offset %d: delivered", continued) })
				}
			}
		}
	})
	t.Run("a payload goes on where nothing is open", func(t *testing.T) {
		var r Reassembler
		n := 0
		for i, payload := range [][]byte{a[0], a[1], b[1], b[1]} {
			if err := r.Add(uint32(i+1), 0, payload, epoch, func([]byte, uint8) { n++ }); err != nil {
				t.Fatal(err)
			}
		}
		if n != 1 {
			t.Errorf("%d packets", n)
		}
	})
	t.Run("packets that were split at the same time", func(t *testing.T) {
		for _, order := range [][4][]byte{{a[0], b[0], a[1], b[1]}, {a[0], b[0], b[1], a[1]}} {
			var r Reassembler
			for i, payload := range order {
				err := r.Add(uint32(i+1), 0, payload, epoch, func([]byte, uint8) { t.Error("delivered") })
				if err != nil {
					t.Fatal(err)
				}
			}
		}
	})
}

func TestTheLargestPacketOnTheNarrowestPath(t *testing.T) {
	const room = 576 - 20 - 8 - 34 // IPv4, UDP, ESP
	b := udpPacket(t, ip4(layers.IPProtocolUDP), counted(65535-28))
	var r Reassembler
	n := 0
	for i, payload := range splitAll(t, b, room) {
		if err := r.Add(uint32(i+1), 0, payload, epoch, func(p []byte, _ uint8) {
			n++
			if !bytes.Equal(p, b) {
				t.Error("changed")
			}
		}); err != nil {
			t.Fatal(err)
		}
	}
	if n != 1 {
		t.Errorf("%d packets", n)
	}
}

func TestPaddingMayComeBetween(t *testing.T) {
	// RFC 9347 lets a sender put payloads of nothing but padding in.
	payloads := splitAll(t, udpPacket(t, ip4(layers.IPProtocolUDP), counted(2000)), 1200)
	var r Reassembler
	n := 0
	for i, payload := range [][]byte{payloads[0], {0, 0, 0, 0, 0, 0, 0, 0}, payloads[1]} {
		if err := r.Add(uint32(i+1), 0, payload, epoch, func([]byte, uint8) { n++ }); err != nil {
			t.Fatal(err)
		}
	}
	if n != 1 {
		t.Errorf("%d packets", n)
	}
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
			if err := r.Add(uint32(10+i), 0, [][]byte{first, second, third}[i], epoch, func(p []byte, _ uint8) { got[string(p)]++ }); err != nil {
				t.Fatal(err)
			}
		}
		if len(got) != 3 || got[string(a)] != 1 || got[string(b)] != 1 || got[string(c)] != 1 {
			t.Errorf("order %v: %d packets", order, len(got))
		}
	}
}

// TestReassemblyKeepsCongestionMarks (RFC 3168 section 5.3).
func TestReassemblyKeepsCongestionMarks(t *testing.T) {
	b := udpPacket(t, ip4(layers.IPProtocolUDP), counted(3000))
	payloads := splitAll(t, b, 1200)
	const dscp = 46 << 2
	for marked := -1; marked < len(payloads); marked++ {
		for _, order := range [][]int{{0, 1, 2}, {2, 1, 0}, {1, 2, 0}} {
			var r Reassembler
			want, got := uint8(dscp|ect0), -1
			for _, i := range order {
				tos := uint8(dscp | ect0)
				if i == marked {
					tos |= ce
					want = tos
				}
				if err := r.Add(uint32(i+1), tos, payloads[i], epoch, func(_ []byte, tos uint8) { got = int(tos) }); err != nil {
					t.Fatal(err)
				}
			}
			if got != int(want) {
				t.Errorf("payload %d marked, order %v: %#x, want %#x", marked, order, got, want)
			}
		}
	}
}

func TestReassemblerForgets(t *testing.T) {
	b := udpPacket(t, ip4(layers.IPProtocolUDP), counted(2000))
	payloads := splitAll(t, b, 1200)
	deliver := func(n *int) func([]byte, uint8) { return func([]byte, uint8) { *n++ } }
	t.Run("what comes too late", func(t *testing.T) {
		var r Reassembler
		n := 0
		r.Add(1, 0, payloads[0], epoch, deliver(&n))
		r.Add(2, 0, payloads[1], epoch.Add(reassemblyTime+1), deliver(&n))
		r.Add(4, 0, payloads[1], epoch, deliver(&n))
		r.Add(3, 0, payloads[0], epoch.Add(reassemblyTime+1), deliver(&n))
		if n != 0 {
			t.Error("delivered")
		}
		r.Add(5, 0, payloads[0], epoch, deliver(&n))
		r.Add(6, 0, payloads[1], epoch.Add(reassemblyTime), deliver(&n))
		if n != 1 {
			t.Error("a packet that was just in time was not delivered")
		}
	})
	t.Run("the oldest of too many", func(t *testing.T) {
		// Those that come between have numbers far ahead, as where another
		// sender on the SA was faster.
		for between, want := range map[int]int{0: 1, reassemblySlots - 2: 1, reassemblySlots: 0} {
			var r Reassembler
			n := 0
			r.Add(1, 0, payloads[0], epoch, deliver(&n))
			for i := range between {
				r.Add(uint32(1+reassemblySlots+2*i), 0, payloads[0], epoch, deliver(&n))
			}
			r.Add(2, 0, payloads[1], epoch, deliver(&n))
			if n != want {
				t.Errorf("%d payloads come between, %d packets are delivered, want %d", between, n, want)
			}
		}
	})
	t.Run("payloads too far apart", func(t *testing.T) {
		r := Reassembler{Arrived: func(uint32) bool { return true }}
		n := 0
		r.Add(1, 0, payloads[0], epoch, deliver(&n))
		r.Add(3+maxBetween, 0, payloads[1], epoch, deliver(&n))
		if n != 0 {
			t.Error("delivered")
		}
		r.Add(101, 0, payloads[0], epoch, deliver(&n))
		r.Add(102+maxBetween, 0, payloads[1], epoch, deliver(&n))
		if n != 1 {
			t.Error("a packet whose payloads were just near enough was not delivered")
		}
	})
	t.Run("more than its memory", func(t *testing.T) {
		var r Reassembler
		n := 0
		begun := splitAll(t, udpPacket(t, ip4(layers.IPProtocolUDP), counted(60000)), 59000)[0]
		for seq := uint32(1); seq < 5*reassemblySlots; seq += 2 {
			r.Add(seq, 0, begun, epoch, deliver(&n))
			held := 0
			for _, p := range r.slots {
				held += cap(p.data)
			}
			if held != r.held || held > reassemblyMemory {
				t.Fatalf("%d bytes held, counted as %d, at most %d", held, r.held, reassemblyMemory)
			}
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
		if err := r.Add(1, 0, b, epoch, func([]byte, uint8) { t.Errorf("%s: delivered", name) }); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	var s Splitter
	if err := s.Split(parsed(t, udpPacket(t, ip4(layers.IPProtocolUDP), counted(2000))), minSplit-1); !errors.Is(err, ErrTooSmall) {
		t.Error(err)
	}
}

func TestReassemblyDoesNotAllocate(t *testing.T) {
	payloads := splitAll(t, udpPacket(t, ip4(layers.IPProtocolUDP), counted(1400)), 1200)
	var r Reassembler
	seq, n := uint32(0), 0
	deliver := func([]byte, uint8) { n++ }
	exchange := func() {
		for _, p := range payloads {
			seq++
			if err := r.Add(seq, 0, p, epoch, deliver); err != nil {
				t.Fatal(err)
			}
		}
	}
	for range reassemblySlots {
		exchange()
	}
	if allocations := testing.AllocsPerRun(1000, exchange); allocations > 0 {
		t.Errorf("%v allocations", allocations)
	}
	if n != int(seq)/len(payloads) {
		t.Errorf("%d packets of %d", n, int(seq)/len(payloads))
	}
}

func BenchmarkReassemble(b *testing.B) {
	payloads := splitAll(b, udpPacket(b, ip4(layers.IPProtocolUDP), counted(1400)), 1200)
	var r Reassembler
	seq := uint32(0)
	b.SetBytes(1400)
	b.ReportAllocs()
	for b.Loop() {
		for _, p := range payloads {
			seq++
			_ = r.Add(seq, 0, p, epoch, func([]byte, uint8) {})
		}
	}
}

// FuzzReassemble feeds payloads from a script. Each is written as a step in
// sequence numbers, a length, and the bytes.
func FuzzReassemble(f *testing.F) {
	b := udpPacket(f, ip4(layers.IPProtocolUDP), counted(300))
	var inOrder, reversed []byte
	payloads := splitAll(f, b, 200)
	for i, p := range payloads {
		inOrder = append(append(inOrder, 1, byte(len(p))), p...)
		last := payloads[len(payloads)-1-i]
		reversed = append(append(reversed, 0xff, byte(len(last))), last...)
	}
	f.Add(inOrder, uint32(1), uint8(0))
	f.Add(reversed, uint32(1<<31), uint8(1))
	f.Fuzz(func(t *testing.T, script []byte, seq uint32, known uint8) {
		r := Reassembler{Arrived: func(seq uint32) bool { return uint8(seq)&known != 0 }}
		for len(script) >= 2 {
			seq += uint32(int8(script[0]))
			n := min(int(script[1]), len(script)-2)
			payload := script[2 : 2+n]
			script = script[2+n:]
			_ = r.Add(seq, 0, payload, epoch, func(p []byte, _ uint8) {
				if length, ok := lengthOf(p); !ok || length != len(p) {
					t.Fatalf("%d bytes delivered as a packet of %d: %x", len(p), length, p)
				}
			})
		}
		held := 0
		for _, p := range r.slots {
			held += cap(p.data)
			if p.rest > len(p.data) || p.open < 0 {
				t.Fatalf("%+v", p)
			}
		}
		if held != r.held || held > reassemblyMemory {
			t.Fatalf("%d bytes held, counted as %d", held, r.held)
		}
	})
}
