package netlab

import (
	"bytes"
	"net"
	"net/netip"
	"testing"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
)

// datagramFrom makes a UDP datagram in an IP packet with right checksums.
func datagramFrom(t *testing.T, from, to string) []byte {
	t.Helper()
	udp := &layers.UDP{SrcPort: 4500, DstPort: 4501}
	var ip gopacket.SerializableLayer
	if source, destination := net.ParseIP(from), net.ParseIP(to); source.To4() != nil {
		v4 := &layers.IPv4{Version: 4, TTL: 64, Protocol: layers.IPProtocolUDP, SrcIP: source, DstIP: destination}
		_ = udp.SetNetworkLayerForChecksum(v4)
		ip = v4
	} else {
		v6 := &layers.IPv6{Version: 6, HopLimit: 64, NextHeader: layers.IPProtocolUDP, SrcIP: source, DstIP: destination}
		_ = udp.SetNetworkLayerForChecksum(v6)
		ip = v6
	}
	b := gopacket.NewSerializeBuffer()
	if err := gopacket.SerializeLayers(b, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}, ip, udp, gopacket.Payload("odd")); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestReaddress: the packet is the one that the other address would have sent.
func TestReaddress(t *testing.T) {
	none := netip.Addr{}
	for _, test := range []struct {
		from, to            string
		source, destination netip.Addr
		wantFrom, wantTo    string
	}{
		{"10.1.0.1", "10.1.0.2", netip.MustParseAddr("10.9.8.7"), none, "10.9.8.7", "10.1.0.2"},
		{"10.1.0.1", "10.1.0.2", none, netip.MustParseAddr("255.254.253.252"), "10.1.0.1", "255.254.253.252"},
		{"10.1.0.1", "10.1.0.2", netip.MustParseAddr("10.9.8.7"), netip.MustParseAddr("10.1.0.1"), "10.9.8.7", "10.1.0.1"},
		{"fd01::1", "fd01::2", netip.MustParseAddr("fd01::99"), none, "fd01::99", "fd01::2"},
		{"fd01::1", "fd01::2", none, netip.MustParseAddr("ffff:fffe::1"), "fd01::1", "ffff:fffe::1"},
		{"fd01::1", "fd01::2", netip.MustParseAddr("10.9.8.7"), none, "fd01::1", "fd01::2"},
	} {
		got := datagramFrom(t, test.from, test.to)
		Readdress(got, test.source, test.destination)
		if want := datagramFrom(t, test.wantFrom, test.wantTo); !bytes.Equal(got, want) {
			t.Errorf("%s > %s becomes\n%x, want\n%x", test.from, test.to, got, want)
		}
	}
	for size := range 40 {
		Readdress(datagramFrom(t, "fd01::1", "fd01::2")[:size], netip.IPv6Loopback(), none) // does not panic
		Readdress(datagramFrom(t, "10.1.0.1", "10.1.0.2")[:min(size, 31)], netip.MustParseAddr("10.9.8.7"), none)
	}
}
