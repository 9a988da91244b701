package inner

import (
	"bytes"
	"errors"
	"testing"

	"github.com/gopacket/gopacket/layers"
	"pgregory.net/rapid"
)

// cutAll returns the pieces of a packet that was prepared.
func cutAll(c *Cutter) (pieces [][]byte) {
	for {
		piece, ok := c.Next(nil)
		if !ok {
			return pieces
		}
		pieces = append(pieces, piece)
	}
}

func TestCutTCPKeepsTheStream(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		ip := drawIP(rt, layers.IPProtocolTCP)
		tcp := segment()
		tcp.Seq = rapid.Uint32().Draw(rt, "seq")
		tcp.PSH, tcp.FIN, tcp.CWR, tcp.ECE = rapid.Bool().Draw(rt, "psh"), rapid.Bool().Draw(rt, "fin"), rapid.Bool().Draw(rt, "cwr"), rapid.Bool().Draw(rt, "ece")
		payload := counted(rapid.IntRange(1, 20000).Draw(rt, "payload"))
		mtu := rapid.IntRange(120, 9000).Draw(rt, "mtu")
		gso := rapid.SampledFrom([]int{0, 536, 1400}).Draw(rt, "segment")
		packet := tcpPacket(t, ip, tcp, payload)
		original := bytes.Clone(packet)
		p := parsed(t, packet)
		var c Cutter
		if err := c.TCP(p, gso, mtu); err != nil {
			rt.Fatal(err)
		}
		n := c.Pieces()
		pieces := cutAll(&c)
		if len(pieces) != n {
			rt.Fatalf("%d pieces, %d were announced", len(pieces), n)
		}
		if !bytes.Equal(packet, original) {
			rt.Fatal("the packet was changed")
		}
		var got []byte
		for i, piece := range pieces {
			last := i == len(pieces)-1
			if len(piece) > mtu {
				rt.Fatalf("piece %d has %d bytes, mtu %d", i, len(piece), mtu)
			}
			if !last && len(piece) != len(pieces[0]) {
				rt.Fatalf("piece %d has %d bytes, the first %d", i, len(piece), len(pieces[0]))
			}
			g := verify(rt, piece)
			h := g.TransportLayer().(*layers.TCP)
			if gso > 0 && len(h.Payload) > gso {
				rt.Fatalf("piece %d has %d bytes of payload, the sender wants %d", i, len(h.Payload), gso)
			}
			if h.Seq != tcp.Seq+uint32(len(got)) || h.Ack != tcp.Ack || h.Window != tcp.Window || h.ECE != tcp.ECE {
				rt.Fatalf("piece %d: %+v", i, h)
			}
			if h.FIN != (tcp.FIN && last) || h.PSH != (tcp.PSH && last) || h.CWR != (tcp.CWR && (i == 0 || gso == 0)) {
				rt.Fatalf("piece %d of %d: flags %+v", i, len(pieces), h)
			}
			if !bytes.Equal(piece[p.Header+tcpHeaderSize:p.Header+32], original[p.Header+tcpHeaderSize:p.Header+32]) {
				rt.Fatal("options were changed")
			}
			if ip, ok := g.NetworkLayer().(*layers.IPv4); ok {
				if ip.Id != be16(original[4:])+uint16(i) || ip.TOS != original[1] || uint8(ip.Flags)<<5 != original[6]&0xe0 {
					rt.Fatalf("piece %d: %+v", i, ip)
				}
			} else if !bytes.Equal(piece[:4], original[:4]) {
				rt.Fatal("class or flow label were changed")
			}
			got = append(got, h.Payload...)
		}
		if !bytes.Equal(got, payload) {
			rt.Fatal("the payload was changed")
		}
	})
}

// TestTheCountersOfAccECNSurviveCutting, and CWR is not said twice where it is
// known to be the answer to a mark.
func TestTheCountersOfAccECNSurviveCutting(t *testing.T) {
	for _, test := range []struct {
		name          string
		ae, cwr, ece  bool
		segment, want int // pieces with CWR
	}{
		{"a superpacket that answers a mark", false, true, false, 1000, 1},
		{"a superpacket that also reports one", false, true, true, 1000, 1},
		{"a superpacket with a counter", true, true, false, 1000, 3},
		{"a superpacket with a full counter", true, true, true, 1000, 3},
		{"a packet that has either", false, true, false, 0, 3},
		{"a packet with a counter", true, true, true, 0, 3},
		{"a counter without CWR", true, false, true, 0, 0},
		{"a superpacket with a counter without CWR", true, false, true, 1000, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := segment()
			h.NS, h.CWR, h.ECE = test.ae, test.cwr, test.ece // NS is now AE
			var c Cutter
			if err := c.TCP(parsed(t, tcpPacket(t, ip6(layers.IPProtocolTCP), h, counted(3000))), test.segment, 1072); err != nil {
				t.Fatal(err)
			}
			got := 0
			for _, piece := range cutAll(&c) {
				h := verify(t, piece).TransportLayer().(*layers.TCP)
				if h.NS != test.ae || h.ECE != test.ece {
					t.Errorf("AE %v, ECE %v", h.NS, h.ECE)
				}
				if h.CWR {
					got++
				}
			}
			if got != test.want {
				t.Errorf("%d pieces with CWR, want %d", got, test.want)
			}
		})
	}
}

// TestOversizeSegments counts those that do not stay as their sender wants them.
func TestOversizeSegments(t *testing.T) {
	const headers = 20 + 20
	for _, test := range []struct{ payload, segment, mtu, want int }{
		{3000, 1000, 1000 + headers, 0},
		{3000, 1000, 1500, 0},
		{3000, 1000, 999 + headers, 3},
		{2500, 1000, 999 + headers, 2}, // the last is small
		{2999, 1000, 998 + headers, 3},
	} {
		var c Cutter
		p := parsed(t, tcpPacket(t, ip4(layers.IPProtocolTCP), &layers.TCP{SrcPort: 40001, DstPort: 40002, ACK: true}, counted(test.payload)))
		if err := c.TCP(p, test.segment, test.mtu); err != nil {
			t.Fatal(err)
		}
		if got := c.Oversize(test.segment); got != test.want {
			t.Errorf("%+v: %d", test, got)
		}
	}
}

func TestCutUDPKeepsTheDatagrams(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		ip := drawIP(rt, layers.IPProtocolUDP)
		payload := counted(rapid.IntRange(1, 20000).Draw(rt, "payload"))
		size := rapid.IntRange(1, 1400).Draw(rt, "segment")
		p := parsed(t, udpPacket(t, ip, payload))
		var c Cutter
		if err := c.UDP(p, size, 1500); err != nil {
			rt.Fatal(err)
		}
		var got []byte
		for i, piece := range cutAll(&c) {
			h := verify(rt, piece).TransportLayer().(*layers.UDP)
			if want := min(size, len(payload)-i*size); len(h.Payload) != want || int(h.Length) != want+udpHeaderSize {
				rt.Fatalf("datagram %d has %d bytes, want %d", i, len(h.Payload), want)
			}
			got = append(got, h.Payload...)
		}
		if !bytes.Equal(got, payload) {
			rt.Fatal("the payload was changed")
		}
	})
}

func TestWhatMustNotBeCut(t *testing.T) {
	with := func(change func(*layers.TCP)) []byte {
		tcp := segment()
		change(tcp)
		return tcpPacket(t, ip4(layers.IPProtocolTCP), tcp, counted(3000))
	}
	option := func(kind layers.TCPOptionKind, size int) []byte {
		return with(func(h *layers.TCP) {
			h.Options = []layers.TCPOption{{OptionType: kind, OptionLength: uint8(size), OptionData: make([]byte, size-2)}}
		})
	}
	routed := tcpPacket(t, ip6(layers.IPProtocolTCP), segment(), counted(3000))
	routed = append(append(bytes.Clone(routed[:40]), 6, 0, 0, 0, 0, 0, 0, 0), routed[40:]...)
	routed[6] = protoRouting
	putLength6(routed)
	sourceRouted := with(func(*layers.TCP) {})
	sourceRouted = append(append(bytes.Clone(sourceRouted[:20]), 1, optionLooseSourceRoute, 7, 4, 10, 0, 0, 9), sourceRouted[20:]...)
	sourceRouted[0], sourceRouted[2], sourceRouted[3] = 0x47, byte(len(sourceRouted)>>8), byte(len(sourceRouted))
	setIPv4Checksum(sourceRouted[:28])
	homeAddress := tcpPacket(t, ip6(layers.IPProtocolTCP), segment(), counted(3000))
	homeAddress = append(append(bytes.Clone(homeAddress[:40]), 6, 2, 1, 2, 0, 0, 201, 16), append(make([]byte, 16), homeAddress[40:]...)...)
	homeAddress[6] = protoDestination
	putLength6(homeAddress)
	damaged := with(func(h *layers.TCP) {})
	damaged[1000] ^= 1
	damagedHeader := with(func(h *layers.TCP) {})
	damagedHeader[8]++
	broken := with(func(h *layers.TCP) {})
	broken[20+12] = 4 << 4
	for _, test := range []struct {
		name string
		b    []byte
		want error
	}{
		{"URG", with(func(h *layers.TCP) { h.URG, h.Urgent = true, 5 }), ErrCannotCut},
		{"SYN", with(func(h *layers.TCP) { h.SYN = true }), ErrCannotCut},
		{"RST", with(func(h *layers.TCP) { h.RST = true }), ErrCannotCut},
		{"TCP MD5", option(optionMD5, 18), ErrCannotCut},
		{"TCP-AO", option(optionAO, 16), ErrCannotCut},
		{"UDP", udpPacket(t, ip4(layers.IPProtocolUDP), counted(3000)), ErrCannotCut},
		{"a routing header", routed, ErrCannotCut},
		{"a source route", sourceRouted, ErrCannotCut},
		{"a home address", homeAddress, ErrCannotCut},
		{"damage", damaged, ErrCannotCut},
		{"a damaged header", damagedHeader, ErrCannotCut},
		{"a data offset below the header", broken, ErrMalformed},
	} {
		t.Run(test.name, func(t *testing.T) {
			var c Cutter
			if err := c.TCP(parsed(t, test.b), 0, 1400); !errors.Is(err, test.want) {
				t.Errorf("error %v, want %v", err, test.want)
			}
			if pieces := cutAll(&c); len(pieces) > 0 {
				t.Errorf("%d pieces after an error", len(pieces))
			}
		})
	}
	var c Cutter
	if err := c.TCP(parsed(t, with(func(*layers.TCP) {})), 0, 52); !errors.Is(err, ErrTooSmall) {
		t.Errorf("no room for payload: %v", err)
	}
	if err := c.UDP(parsed(t, udpPacket(t, ip4(layers.IPProtocolUDP), counted(3000))), 1400, 1400); !errors.Is(err, ErrTooSmall) {
		t.Errorf("a datagram above the MTU: %v", err)
	}
}

func putLength6(b []byte) {
	b[4], b[5] = byte((len(b)-40)>>8), byte(len(b)-40)
}

func TestCuttingDoesNotAllocate(t *testing.T) {
	p := parsed(t, tcpPacket(t, ip4(layers.IPProtocolTCP), segment(), counted(60000)))
	var c Cutter
	buffer := make([]byte, 0, 2000)
	if n := testing.AllocsPerRun(100, func() {
		if err := c.TCP(p, 1400, 1400); err != nil {
			t.Fatal(err)
		}
		for ok := true; ok; {
			_, ok = c.Next(buffer)
		}
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkCut(b *testing.B) {
	p := parsed(b, tcpPacket(b, ip4(layers.IPProtocolTCP), segment(), counted(60000)))
	var c Cutter
	buffer := make([]byte, 0, 2000)
	b.SetBytes(60000)
	b.ReportAllocs()
	for b.Loop() {
		_ = c.TCP(p, 1400, 1438)
		for ok := true; ok; {
			_, ok = c.Next(buffer)
		}
	}
}

func FuzzCut(f *testing.F) {
	f.Add(tcpPacket(f, ip4(layers.IPProtocolTCP), segment(), counted(3000)), 0, 1400)
	f.Add(tcpPacket(f, ip6(layers.IPProtocolTCP), segment(), counted(3000)), 500, 1400)
	f.Add(udpPacket(f, ip6(layers.IPProtocolUDP), counted(3000)), 1000, 1400)
	f.Fuzz(func(t *testing.T, b []byte, segment, mtu int) {
		p, ok := Parse(b)
		if !ok || mtu > 65535 || segment < 0 || segment > 65535 {
			return
		}
		if !p.V6 {
			setIPv4Checksum(p.Bytes[:p.Header])
		}
		if rest := p.Bytes[p.Header:]; p.Protocol == protoTCP && len(rest) >= tcpHeaderSize {
			rest[tcpChecksum], rest[tcpChecksum+1] = 0, 0
			pseudoHeader(p.Bytes, protoTCP, len(rest)).add(rest).putChecksum(rest[tcpChecksum:])
		}
		var c Cutter
		for _, prepare := range []func(*Packet, int, int) error{c.TCP, c.UDP} {
			if prepare(&p, segment, mtu) != nil {
				continue
			}
			total, n := 0, c.Pieces()
			pieces := cutAll(&c)
			for _, piece := range pieces {
				if len(piece) > mtu {
					t.Fatalf("%d bytes, mtu %d", len(piece), mtu)
				}
				if _, ok := Parse(piece); !ok {
					t.Fatalf("a piece is no packet: %x", piece)
				}
				total += len(piece) - c.headers
			}
			if len(pieces) != n || total != len(p.Bytes)-c.headers {
				t.Fatalf("%d pieces of %d, %d bytes of %d", len(pieces), n, total, len(p.Bytes)-c.headers)
			}
		}
	})
}
