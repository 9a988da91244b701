package inner

import (
	"bytes"
	"testing"

	"github.com/gopacket/gopacket/layers"
	"pgregory.net/rapid"
)

// written records the packets that a Coalescer has handed on.
type written struct {
	packet []byte
	o      Offload
}

func newCoalescer(list *[]written) *Coalescer {
	return &Coalescer{UDP: true, Write: func(parts [][]byte, o Offload) {
		*list = append(*list, written{bytes.Join(parts, nil), o})
	}}
}

// TestCoalescingUndoesCutting cuts a superpacket, joins the pieces, and
// expects the superpacket, with a checksum that the host can complete.
func TestCoalescingUndoesCutting(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		tcp := rapid.Bool().Draw(rt, "tcp")
		size := rapid.IntRange(1, 1400).Draw(rt, "segment")
		payload := counted(rapid.IntRange(1, min(size*maxJoined, 60000)).Draw(rt, "payload"))
		var c Cutter
		var want []byte
		var err error
		if tcp {
			h := segment()
			h.PSH, h.FIN = rapid.Bool().Draw(rt, "psh"), rapid.Bool().Draw(rt, "fin")
			want = tcpPacket(t, drawIP(rt, layers.IPProtocolTCP), h, payload)
			err = c.TCP(parsed(t, want), size, 9000)
		} else {
			want = udpPacket(t, drawIP(rt, layers.IPProtocolUDP), payload)
			err = c.UDP(parsed(t, want), size, 9000)
		}
		if err != nil {
			rt.Fatal(err)
		}
		var got []written
		joiner := newCoalescer(&got)
		pieces := cutAll(&c)
		for _, piece := range pieces {
			joiner.Add(parsed(t, piece))
		}
		joiner.Flush()
		// A piece with PSH or FIN that is full as the others ends the run.
		if len(got) != 1 {
			rt.Fatalf("%d packets out of %d pieces", len(got), len(pieces))
		}
		o := got[0].o
		if (len(pieces) > 1) != (o.Kind != GSONone) {
			rt.Fatalf("%d pieces: %+v", len(pieces), o)
		}
		if o.Kind != GSONone && int(o.SegmentSize) != size {
			rt.Fatalf("segments of %d bytes, want %d", o.SegmentSize, size)
		}
		if err := o.Complete(got[0].packet); err != nil {
			rt.Fatal(err)
		}
		if !bytes.Equal(got[0].packet, want) {
			rt.Fatalf("got\n%x, want\n%x", got[0].packet[:min(80, len(got[0].packet))], want[:min(80, len(want))])
		}
	})
}

func piecesOf(t testing.TB, port layers.TCPPort, payload, size int) [][]byte {
	t.Helper()
	return piecesOver(t, ip4(layers.IPProtocolTCP), port, payload, size)
}

func piecesOver(t testing.TB, ip network, port layers.TCPPort, payload, size int) [][]byte {
	t.Helper()
	h := segment()
	h.SrcPort = port
	var c Cutter
	if err := c.TCP(parsed(t, tcpPacket(t, ip, h, counted(payload))), size, maxSuperpacket); err != nil {
		t.Fatal(err)
	}
	return cutAll(&c)
}

func TestWhatIsNotJoined(t *testing.T) {
	add := func(pieces ...[]byte) (got []written) {
		c := newCoalescer(&got)
		for _, b := range pieces {
			c.Add(parsed(t, bytes.Clone(b)))
		}
		c.Flush()
		return got
	}
	p := piecesOf(t, 40001, 3000, 1000)
	p6 := piecesOver(t, ip6(layers.IPProtocolTCP), 40001, 3000, 1000)
	changed := func(b []byte, change func(b []byte)) []byte {
		b = bytes.Clone(b)
		change(b)
		tcp := b[parsed(t, b).Header:]
		tcp[16], tcp[17] = 0, 0
		pseudoHeader(b, protoTCP, len(tcp)).add(tcp).putChecksum(tcp[16:])
		if b[0]>>4 == 4 {
			setIPv4Checksum(b[:20])
		}
		return b
	}
	wrong := func(b []byte) []byte {
		b = bytes.Clone(b)
		b[len(b)-1]++
		return b
	}
	damaged := func(b []byte) []byte {
		b = bytes.Clone(b)
		b[5]++ // the identification, which DF makes mean nothing
		return b
	}
	for _, test := range []struct {
		name   string
		pieces [][]byte
		want   int
	}{
		{"three in order are", p, 1},
		{"a gap", [][]byte{p[0], p[2]}, 2},
		{"out of order", [][]byte{p[1], p[0]}, 2},
		{"the same twice", [][]byte{p[0], p[0]}, 2},
		{"a wrong checksum", [][]byte{p[0], wrong(p[1])}, 2},
		{"a wrong checksum in the first", [][]byte{wrong(p[0]), p[1]}, 2},
		{"a wrong header checksum", [][]byte{p[0], damaged(p[1])}, 2},
		{"a wrong header checksum in the first", [][]byte{damaged(p[0]), p[1]}, 2},
		{"another TTL", [][]byte{p[0], changed(p[1], func(b []byte) { b[8]++ })}, 2},
		{"another TOS", [][]byte{p[0], changed(p[1], func(b []byte) { b[1] = 3 })}, 2},
		{"DF in the first alone", [][]byte{p[0], changed(p[1], func(b []byte) { b[6] = 0 })}, 2},
		{"the reserved bit in the second alone", [][]byte{p[0], changed(p[1], func(b []byte) { b[6] |= 0x80 })}, 2},
		{"IPv6: three in order are", p6, 1},
		{"IPv6: another class", [][]byte{p6[0], changed(p6[1], func(b []byte) { b[0] |= 1 })}, 2},
		{"IPv6: another flow label", [][]byte{p6[0], changed(p6[1], func(b []byte) { b[3]++ })}, 2},
		{"IPv6: another hop limit", [][]byte{p6[0], changed(p6[1], func(b []byte) { b[7]++ })}, 2},
		{"AE", [][]byte{p[0], changed(p[1], func(b []byte) { b[32] |= tcpAE })}, 2},
		{"CWR", [][]byte{p[0], changed(p[1], func(b []byte) { b[33] |= tcpCWR })}, 2},
		{"another window", [][]byte{p[0], changed(p[1], func(b []byte) { b[34]++ })}, 2},
		{"another acknowledgment", [][]byte{p[0], changed(p[1], func(b []byte) { b[31]++ })}, 2},
		{"other options", [][]byte{p[0], changed(p[1], func(b []byte) { b[45]++ })}, 2},
		{"SYN", [][]byte{p[0], changed(p[1], func(b []byte) { b[33] |= tcpSYN })}, 2},
		{"RST", [][]byte{p[0], changed(p[1], func(b []byte) { b[33] |= tcpRST })}, 2},
		{"after PSH", [][]byte{changed(p[0], func(b []byte) { b[33] |= tcpPSH }), p[1]}, 2},
		{"another identification without DF", [][]byte{
			changed(p[0], func(b []byte) { b[6] = 0 }), changed(p[1], func(b []byte) { b[6] = 0; b[5] += 7 })}, 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := add(test.pieces...)
			if len(got) != test.want {
				t.Fatalf("%d packets, want %d", len(got), test.want)
			}
			if test.want > 1 {
				for i, b := range test.pieces {
					if !bytes.Equal(got[i].packet, b) || got[i].o != (Offload{}) {
						t.Errorf("packet %d: %+v\n%x, want\n%x", i, got[i].o, got[i].packet, b)
					}
				}
			}
		})
	}
}

func TestFlowsAreJoinedSideBySide(t *testing.T) {
	var flows [][][]byte
	for i := range coalesceFlows {
		flows = append(flows, piecesOf(t, layers.TCPPort(41000+i), 5000, 1000))
	}
	var got []written
	c := newCoalescer(&got)
	for i := range flows[0] {
		for _, flow := range flows {
			c.Add(parsed(t, flow[i]))
		}
	}
	c.Flush()
	if len(got) != coalesceFlows {
		t.Errorf("%d packets out of %d flows", len(got), coalesceFlows)
	}
}

func TestTheOrderWithinAFlowIsKept(t *testing.T) {
	// A packet that cannot be joined comes after those of its flow that wait.
	p := piecesOf(t, 40001, 2000, 1000)
	ack := tcpPacket(t, ip4(layers.IPProtocolTCP), segment(), nil)
	fin := segment()
	fin.RST = true
	rst := tcpPacket(t, ip4(layers.IPProtocolTCP), fin, nil)
	for _, last := range [][]byte{ack, rst} {
		var got []written
		c := newCoalescer(&got)
		for _, b := range [][]byte{p[0], p[1], last} {
			c.Add(parsed(t, bytes.Clone(b)))
		}
		c.Flush()
		if len(got) != 2 || !bytes.Equal(got[1].packet, last) {
			t.Errorf("%d packets", len(got))
		}
	}
}

func TestCoalescingDoesNotAllocate(t *testing.T) {
	pieces := piecesOf(t, 40001, 40000, 1400)
	work := make([][]byte, len(pieces))
	for i := range work {
		work[i] = bytes.Clone(pieces[i])
	}
	c := &Coalescer{Write: func([][]byte, Offload) {}}
	once := func() {
		for i, b := range pieces {
			copy(work[i], b)
			p, _ := Parse(work[i])
			c.Add(&p)
		}
		c.Flush()
	}
	once()
	if n := testing.AllocsPerRun(100, once); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkCoalesce(b *testing.B) {
	const segment, segments = 1386, 44
	for _, load := range []struct {
		name           string
		flows, packets int // of each flow
	}{
		{"one flow", 1, segments},
		{"four flows in turn", 4, segments / 4},
		{"sixteen flows in turn", coalesceFlows, 3},
		{"one packet", 1, 1},
	} {
		b.Run(load.name, func(b *testing.B) {
			packets := make([][]byte, load.flows*load.packets)
			var headers [][]byte
			for i := range load.flows {
				for j, piece := range piecesOf(b, layers.TCPPort(40001+i), load.packets*segment, segment) {
					packets[j*load.flows+i] = piece
				}
				headers = append(headers, bytes.Clone(packets[i][:52]))
			}
			c := &Coalescer{Write: func([][]byte, Offload) {}}
			b.SetBytes(int64(len(packets) * segment))
			b.ReportAllocs()
			for b.Loop() {
				for i, header := range headers { // those of superpackets by now
					copy(packets[i], header)
				}
				for _, packet := range packets {
					p, _ := Parse(packet)
					c.Add(&p)
				}
				c.Flush()
			}
		})
	}
}

func FuzzCoalesce(f *testing.F) {
	p := piecesOf(f, 40001, 1500, 500)
	f.Add(p[0], p[1], p[2])
	f.Add(udpPacket(f, ip6(layers.IPProtocolUDP), counted(30)), udpPacket(f, ip6(layers.IPProtocolUDP), counted(30)), udpPacket(f, ip6(layers.IPProtocolUDP), counted(20)))
	f.Fuzz(func(t *testing.T, x, y, z []byte) {
		in, out := 0, 0
		c := &Coalescer{UDP: true}
		c.Write = func(parts [][]byte, o Offload) {
			b := bytes.Join(parts, nil)
			p, ok := Parse(b)
			if !ok || len(p.Bytes) != len(b) {
				t.Errorf("no packet: %x", b)
			}
			if o.NeedsChecksum {
				if err := o.Complete(b); err != nil || !checksumValid(&p) {
					t.Errorf("checksum: %v %x", err, b)
				}
			}
			out += len(b) + (len(parts)-1)*int(o.HeaderSize)
		}
		for _, b := range [][]byte{x, y, z} {
			if p, ok := Parse(bytes.Clone(b)); ok {
				in += len(p.Bytes)
				c.Add(&p)
			}
		}
		c.Flush()
		if in != out {
			t.Errorf("%d bytes in, %d out", in, out)
		}
	})
}
