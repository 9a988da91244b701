package inner

import (
	"bytes"
	"testing"

	"github.com/gopacket/gopacket/layers"
)

// TestDecapsulate is figure 4 of RFC 6040, whole.
func TestDecapsulate(t *testing.T) {
	const drop = 0xff
	table := map[uint8]map[uint8]uint8{ // inner, outer
		notECT: {notECT: notECT, ect0: notECT, ect1: notECT, ce: drop},
		ect0:   {notECT: ect0, ect0: ect0, ect1: ect1, ce: ce},
		ect1:   {notECT: ect1, ect0: ect1, ect1: ect1, ce: ce},
		ce:     {notECT: ce, ect0: ce, ect1: ce, ce: ce},
	}
	const innerDSCP, outerDSCP = 46 << 2, 10 << 2
	for in, row := range table {
		for out, want := range row {
			got, ok := Decapsulate(innerDSCP|in, outerDSCP|out)
			if ok != (want != drop) || ok && got != innerDSCP|want {
				t.Errorf("inner %d, outer %d: %#x, %v", in, out, got, ok)
			}
		}
	}
}

func TestEncapsulateCopiesDSCPAndECN(t *testing.T) {
	for tos := range 256 {
		if got := Encapsulate(uint8(tos)); got != uint8(tos) {
			t.Errorf("%#x becomes %#x", tos, got)
		}
	}
}

func TestSetTOS(t *testing.T) {
	for name, b := range map[string][]byte{
		"IPv4": udpPacket(t, ip4(layers.IPProtocolUDP), counted(10)),
		"IPv6": udpPacket(t, ip6(layers.IPProtocolUDP), counted(10)),
	} {
		for tos := range 256 {
			b := bytes.Clone(b)
			SetTOS(parsed(t, b), uint8(tos))
			if got := parsed(t, b).TOS; got != uint8(tos) {
				t.Fatalf("%s: %#x, want %#x", name, got, tos)
			}
			g := verify(t, b)
			if ip, ok := g.NetworkLayer().(*layers.IPv6); ok && ip.FlowLabel != 0x12345 {
				t.Fatalf("flow label %#x", ip.FlowLabel)
			}
		}
	}
}
