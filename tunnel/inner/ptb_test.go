package inner

import (
	"bytes"
	"errors"
	"net/netip"
	"testing"
	"time"

	"github.com/gopacket/gopacket/layers"
)

func TestPTB(t *testing.T) {
	for _, size := range []int{10, 500, 1172, 1400, 9000} {
		t.Run("IPv4", func(t *testing.T) {
			b := udpPacket(t, ip4(layers.IPProtocolUDP), counted(size))
			got, err := AppendPTB([]byte("before"), parsed(t, b), 1234)
			if err != nil {
				t.Fatal(err)
			}
			got = got[len("before"):]
			if len(got) > maxICMPv4Error || len(got) > MaxPTBSize {
				t.Errorf("%d bytes", len(got))
			}
			g := verify(t, got)
			ip, icmp := g.NetworkLayer().(*layers.IPv4), g.Layer(layers.LayerTypeICMPv4).(*layers.ICMPv4)
			if icmp.TypeCode != layers.CreateICMPv4TypeCode(3, 4) || icmp.Id != 0 || icmp.Seq != 1234 {
				t.Errorf("%+v", icmp)
			}
			if !ip.SrcIP.Equal(destination4.AsSlice()) || !ip.DstIP.Equal(source4.AsSlice()) {
				t.Errorf("from %v to %v", ip.SrcIP, ip.DstIP)
			}
			if quote := icmp.Payload; !bytes.Equal(quote, b[:min(len(b), maxICMPv4Error-28)]) {
				t.Errorf("quotes %d of %d bytes", len(quote), len(b))
			}
		})
		t.Run("IPv6", func(t *testing.T) {
			b := udpPacket(t, ip6(layers.IPProtocolUDP), counted(size))
			got, err := AppendPTB(nil, parsed(t, b), 1234)
			if err != nil {
				t.Fatal(err)
			}
			if len(got) > maxICMPv6Error || len(got) > MaxPTBSize {
				t.Errorf("%d bytes", len(got))
			}
			g := verify(t, got)
			ip, icmp := g.NetworkLayer().(*layers.IPv6), g.Layer(layers.LayerTypeICMPv6).(*layers.ICMPv6)
			if icmp.TypeCode != layers.CreateICMPv6TypeCode(2, 0) || be32(icmp.Payload) != 1234 {
				t.Errorf("%+v", icmp)
			}
			if !ip.SrcIP.Equal(destination6.AsSlice()) || !ip.DstIP.Equal(source6.AsSlice()) {
				t.Errorf("from %v to %v", ip.SrcIP, ip.DstIP)
			}
			if quote := icmp.Payload[4:]; !bytes.Equal(quote, b[:min(len(b), maxICMPv6Error-48)]) {
				t.Errorf("quotes %d of %d bytes", len(quote), len(b))
			}
		})
	}
}

func TestWhatIsNotAnswered(t *testing.T) {
	icmp := func(kind uint8) []byte {
		return serialize(t, ip4(layers.IPProtocolICMPv4), &layers.ICMPv4{TypeCode: layers.CreateICMPv4TypeCode(kind, 0)})
	}
	icmp6 := func(kind uint8) []byte {
		b := udpPacket(t, ip6(layers.IPProtocolUDP), counted(20))
		b[6], b[40] = protoICMPv6, kind
		return b
	}
	hidden := func(b []byte) []byte {
		for range maxExtensions + 1 {
			next := b[6]
			b = append(append(bytes.Clone(b[:40]), next, 0, 1, 4, 0, 0, 0, 0), b[40:]...)
			b[6] = protoDestination
		}
		putLength6(b)
		return b
	}
	from := func(source, destination string) []byte {
		ip := ip4(layers.IPProtocolUDP)
		ip.SrcIP, ip.DstIP = netip.MustParseAddr(source).AsSlice(), netip.MustParseAddr(destination).AsSlice()
		return udpPacket(t, ip, counted(20))
	}
	later := udpPacket(t, ip4(layers.IPProtocolUDP), counted(20))
	later[6], later[7] = 0, 9
	setIPv4Checksum(later[:20])
	damaged := udpPacket(t, ip4(layers.IPProtocolUDP), counted(20))
	damaged[15]++ // of the source
	multicast6 := udpPacket(t, ip6(layers.IPProtocolUDP), counted(20))
	multicast6[24] = 0xff
	for _, test := range []struct {
		name     string
		b        []byte
		answered bool
	}{
		{"an echo request", icmp(8), true},
		{"an echo reply", icmp(0), true},
		{"destination unreachable", icmp(3), false},
		{"time exceeded", icmp(11), false},
		{"an unknown ICMP type", icmp(200), false},
		{"an ICMPv6 echo request", icmp6(128), true},
		{"an ICMPv6 error", icmp6(1), false},
		{"an ICMPv6 redirect", icmp6(137), false},
		{"an ICMPv6 error behind too many headers", hidden(icmp6(1)), false},
		{"from this network", from("0.1.2.3", "10.0.0.1"), false},
		{"from class E", from("240.0.0.1", "10.0.0.1"), false},
		{"a later fragment", later, false},
		{"a damaged header", damaged, false},
		{"to a multicast group", from("10.0.0.1", "224.0.0.1"), false},
		{"to an IPv6 multicast group", multicast6, false},
		{"to broadcast", from("10.0.0.1", "255.255.255.255"), false},
		{"from nowhere", from("0.0.0.0", "10.0.0.1"), false},
		{"from loopback", from("127.0.0.1", "10.0.0.1"), false},
		{"from a multicast group", from("224.0.0.1", "10.0.0.1"), false},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := AppendPTB(nil, parsed(t, test.b), 1000)
			if test.answered != (err == nil) || err != nil && (!errors.Is(err, ErrNoPTB) || len(got) > 0) {
				t.Errorf("%d bytes, %v", len(got), err)
			}
		})
	}
}

func TestPTBLimit(t *testing.T) {
	now := epoch
	count := func(l *PTBLimit, hosts, each int) (n int) {
		for range each {
			for i := range hosts {
				if l.Allow(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), now) {
					n++
				}
			}
		}
		return n
	}
	var l PTBLimit
	if n := count(&l, 1, 100); n != hostBurst {
		t.Errorf("%d PTBs at once to one host, want %d", n, hostBurst)
	}
	now = now.Add(time.Second)
	if n := count(&l, 1, 100); n != hostBurst {
		t.Errorf("%d PTBs a second later, want %d", n, hostBurst)
	}
	l = PTBLimit{}
	if n := count(&l, 1<<16, 1); n > allBurst {
		t.Errorf("%d PTBs at once to many hosts, at most %d", n, allBurst)
	}
}

func FuzzPTB(f *testing.F) {
	f.Add(udpPacket(f, ip4(layers.IPProtocolUDP), counted(2000)), 1000)
	f.Add(udpPacket(f, ip6(layers.IPProtocolUDP), counted(2000)), 1000)
	f.Fuzz(func(t *testing.T, b []byte, mtu int) {
		p, ok := Parse(b)
		if !ok {
			return
		}
		if !p.V6 {
			setIPv4Checksum(p.Bytes[:p.Header])
		}
		got, err := AppendPTB(nil, &p, mtu)
		if err != nil {
			return
		}
		q, ok := Parse(got)
		if !ok || len(got) > MaxPTBSize || q.Destination != p.Source || len(q.Bytes) != len(got) {
			t.Errorf("%x answered with %x", b, got)
		}
	})
}
