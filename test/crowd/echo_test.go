//go:build linux

package crowd

import (
	"net/netip"
	"testing"

	"golang.org/x/net/icmp"
	"golang.org/x/net/ipv4"

	"fathom/test/netlab"
)

// TestAnEchoRequestIsOne, with right checksums, and no answer to itself.
func TestAnEchoRequestIsOne(t *testing.T) {
	from := netip.MustParseAddr("10.77.1.2")
	packet := appendEcho([]byte("x"), from, hubInner)[1:]
	header, err := ipv4.ParseHeader(packet)
	if err != nil {
		t.Fatal(err)
	}
	if header.Len != ipv4Header || header.Protocol != protocolICMP || !header.Src.Equal(from.AsSlice()) || !header.Dst.Equal(hubInner.AsSlice()) {
		t.Errorf("the header is %v", header)
	}
	message, err := icmp.ParseMessage(protocolICMP, packet[ipv4Header:])
	if err != nil || message.Type != ipv4.ICMPTypeEcho {
		t.Errorf("the message is %v, %v", message, err)
	}
	for part, b := range map[string][]byte{"header": packet[:ipv4Header], "message": packet[ipv4Header:]} {
		if sum := netlab.Checksum(0, b); sum != 0 {
			t.Errorf("the checksum of the %s is off by %#x", part, sum)
		}
	}
	if isEchoReply(packet) {
		t.Error("it counts as an answer")
	}
	packet[ipv4Header] = echoReply
	if !isEchoReply(packet) || isEchoReply(packet[:len(packet)-1]) {
		t.Error("an answer is not told from what is none")
	}
}
