package inner

import (
	"bytes"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"

	"net/netip"
)

func TestParse(t *testing.T) {
	tcp4 := tcpPacket(t, ip4(layers.IPProtocolTCP), segment(), []byte("x"))
	fragment := ip4(layers.IPProtocolUDP)
	fragment.Flags, fragment.FragOffset = 0, 100
	later := serialize(t, fragment, gopacket.Payload("later"))
	first := ip4(layers.IPProtocolUDP)
	first.Flags = layers.IPv4MoreFragments
	firstFragment := serialize(t, first, gopacket.Payload("12345678"))
	udp6 := udpPacket(t, ip6(layers.IPProtocolUDP), []byte("x"))
	// An IPv6 packet with a hop-by-hop header and a fragment header.
	extended := append(bytes.Clone(udp6[:40]), 44, 0, 1, 4, 0, 0, 0, 0 /* fragment: */, 17, 0, 0, 1, 0, 0, 0, 9)
	extended = append(extended, udp6[40:]...)
	extended[6] = 0
	extended[5] += 16
	for _, test := range []struct {
		name string
		b    []byte
		want Packet
	}{
		{"TCP over IPv4", tcp4, Packet{Source: source4, Destination: destination4, Protocol: 6, Header: 20, DontFragment: true}},
		{"a later fragment", later, Packet{Source: source4, Destination: destination4, Protocol: 17, Header: 20, Fragment: true, LaterFragment: true}},
		{"a first fragment", firstFragment, Packet{Source: source4, Destination: destination4, Protocol: 17, Header: 20, Fragment: true}},
		{"UDP over IPv6", udp6, Packet{Source: source6, Destination: destination6, V6: true, Protocol: 17, Header: 40, DontFragment: true}},
		{"extension headers", extended, Packet{Source: source6, Destination: destination6, V6: true, Protocol: 17, Header: 56, DontFragment: true, Fragment: true}},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, behind := range []int{0, 5} {
				p, ok := Parse(append(bytes.Clone(test.b), make([]byte, behind)...))
				if !ok || !bytes.Equal(p.Bytes, test.b) {
					t.Fatalf("ok %v, %x", ok, p.Bytes)
				}
				p.Bytes = nil
				if diff := cmp.Diff(test.want, p, cmp.Comparer(func(a, b netip.Addr) bool { return a == b }), cmpopts.IgnoreUnexported(Packet{})); diff != "" {
					t.Error(diff)
				}
			}
			for n := range test.b {
				if _, ok := Parse(test.b[:n]); ok {
					t.Errorf("the first %d of %d bytes pass for a packet", n, len(test.b))
				}
			}
		})
	}
	for name, b := range map[string][]byte{
		"another version":           append([]byte{0x50}, make([]byte, 60)...),
		"a header of 16 bytes":      append([]byte{0x44, 0, 0, 40}, make([]byte, 60)...),
		"a length below the header": append([]byte{0x45, 0, 0, 19}, make([]byte, 60)...),
	} {
		if _, ok := Parse(b); ok {
			t.Errorf("%s passes for a packet", name)
		}
	}
}

func BenchmarkParse(b *testing.B) {
	packet := tcpPacket(b, ip4(layers.IPProtocolTCP), segment(), counted(1386))
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := Parse(packet); !ok {
			b.Fatal("no packet")
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(tcpPacket(f, ip4(layers.IPProtocolTCP), segment(), []byte("x")))
	f.Add(udpPacket(f, ip6(layers.IPProtocolUDP), []byte("x")))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, ok := Parse(b)
		if ok && (len(p.Bytes) > len(b) || p.Header > len(p.Bytes) || !p.Source.IsValid()) {
			t.Errorf("%+v", p)
		}
	})
}
