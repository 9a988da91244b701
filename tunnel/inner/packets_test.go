package inner

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"testing"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"pgregory.net/rapid"
)

// What the tests make and look at packets with: gopacket, an implementation
// that shares no line with this package.

var (
	source4, destination4 = netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2")
	source6, destination6 = netip.MustParseAddr("fd00::1"), netip.MustParseAddr("fd00::2")
)

// serialize makes a packet with right lengths and checksums.
func serialize(t testing.TB, parts ...gopacket.SerializableLayer) []byte {
	t.Helper()
	b := gopacket.NewSerializeBuffer()
	if err := gopacket.SerializeLayers(b, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}, parts...); err != nil {
		t.Fatal(err)
	}
	return bytes.Clone(b.Bytes())
}

func ip4(protocol layers.IPProtocol) *layers.IPv4 {
	return &layers.IPv4{Version: 4, TTL: 64, Id: 0xfff0, Flags: layers.IPv4DontFragment, Protocol: protocol,
		SrcIP: source4.AsSlice(), DstIP: destination4.AsSlice()}
}

func ip6(protocol layers.IPProtocol) *layers.IPv6 {
	return &layers.IPv6{Version: 6, HopLimit: 64, NextHeader: protocol, FlowLabel: 0x12345,
		SrcIP: source6.AsSlice(), DstIP: destination6.AsSlice()}
}

// network is an IP layer of gopacket.
type network interface {
	gopacket.SerializableLayer
	gopacket.NetworkLayer
}

// tcpPacket makes a TCP packet with the given payload.
func tcpPacket(t testing.TB, ip network, tcp *layers.TCP, payload []byte) []byte {
	t.Helper()
	if err := tcp.SetNetworkLayerForChecksum(ip); err != nil {
		t.Fatal(err)
	}
	return serialize(t, ip, tcp, gopacket.Payload(payload))
}

// udpPacket makes a UDP packet with the given payload.
func udpPacket(t testing.TB, ip network, payload []byte) []byte {
	t.Helper()
	udp := &layers.UDP{SrcPort: 40001, DstPort: 40002}
	if err := udp.SetNetworkLayerForChecksum(ip); err != nil {
		t.Fatal(err)
	}
	return serialize(t, ip, udp, gopacket.Payload(payload))
}

// segment is a TCP header in the middle of a connection.
func segment() *layers.TCP {
	return &layers.TCP{SrcPort: 40001, DstPort: 40002, Seq: 0xfffffff0, Ack: 7, ACK: true, Window: 500,
		Options: []layers.TCPOption{
			{OptionType: layers.TCPOptionKindNop, OptionLength: 1}, {OptionType: layers.TCPOptionKindNop, OptionLength: 1},
			{OptionType: layers.TCPOptionKindTimestamps, OptionLength: 10, OptionData: []byte{1, 2, 3, 4, 5, 6, 7, 8}},
		}}
}

// counted is a payload in which every byte tells where it belongs.
func counted(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i) ^ byte(i>>8)
	}
	return b
}

// parsed is Parse of a packet that must be one.
func parsed(t testing.TB, b []byte) *Packet {
	t.Helper()
	p, ok := Parse(b)
	if !ok {
		t.Fatalf("no packet: %x", b)
	}
	return &p
}

// verify decodes a packet by gopacket and checks its lengths and checksums.
func verify(t interface {
	Helper()
	Fatalf(string, ...any)
}, b []byte) gopacket.Packet {
	t.Helper()
	first := layers.LayerTypeIPv4
	if b[0]>>4 == 6 {
		first = layers.LayerTypeIPv6
	}
	p := gopacket.NewPacket(b, first, gopacket.Default)
	if p.ErrorLayer() != nil {
		t.Fatalf("gopacket does not decode: %v\n%x", p.ErrorLayer().Error(), b)
	}
	switch ip := p.NetworkLayer().(type) {
	case *layers.IPv4:
		if int(ip.Length) != len(b) {
			t.Fatalf("total length %d, %d bytes", ip.Length, len(b))
		}
	case *layers.IPv6:
		if int(ip.Length)+ipv6HeaderSize != len(b) {
			t.Fatalf("payload length %d, %d bytes", ip.Length, len(b))
		}
	}
	if l, ok := p.TransportLayer().(interface {
		SetNetworkLayerForChecksum(gopacket.NetworkLayer) error
	}); ok {
		if err := l.SetNetworkLayerForChecksum(p.NetworkLayer()); err != nil {
			t.Fatalf("%v", err)
		}
	}
	if l, ok := p.Layer(layers.LayerTypeICMPv6).(*layers.ICMPv6); ok {
		if err := l.SetNetworkLayerForChecksum(p.NetworkLayer()); err != nil {
			t.Fatalf("%v", err)
		}
	}
	err, wrong := p.VerifyChecksums()
	if err != nil || len(wrong) > 0 {
		t.Fatalf("checksums: %v %+v\n%x", err, wrong, b)
	}
	return p
}

// families draws an IP header of either version.
func drawIP(t *rapid.T, protocol layers.IPProtocol) network {
	if rapid.Bool().Draw(t, "ipv6") {
		ip := ip6(protocol)
		ip.TrafficClass = rapid.Uint8().Draw(t, "class")
		return ip
	}
	ip := ip4(protocol)
	ip.TOS = rapid.Uint8().Draw(t, "tos")
	ip.Id = rapid.Uint16().Draw(t, "id")
	if rapid.Bool().Draw(t, "without DF") {
		ip.Flags = 0
	}
	return ip
}

func be16(b []byte) uint16 { return binary.BigEndian.Uint16(b) }
func be32(b []byte) uint32 { return binary.BigEndian.Uint32(b) }
