package inner

import (
	"bytes"
	"testing"

	"github.com/gopacket/gopacket/layers"
)

// TestDecapsulate checks all of figure 4 of RFC 6040.
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

func TestEncapsulate(t *testing.T) {
	for tos := range 256 {
		tos := uint8(tos)
		for _, test := range []struct {
			class ServiceClass
			want  uint8
		}{
			{ServiceClass{}, tos},
			{ServiceClass{HideDSCP: true}, tos & 3},
			{ServiceClass{HideECN: true}, tos &^ 3},
			{ServiceClass{HideDSCP: true, HideECN: true}, 0},
		} {
			if got := test.class.Encapsulate(tos); got != test.want {
				t.Errorf("%+v: %#x becomes %#x, want %#x", test.class, tos, got, test.want)
			}
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

func FuzzECN(f *testing.F) {
	f.Add(udpPacket(f, ip4(layers.IPProtocolUDP), counted(10)), uint8(ce), uint8(ect0))
	f.Add(udpPacket(f, ip6(layers.IPProtocolUDP), counted(10)), uint8(0xff), uint8(0))
	f.Fuzz(func(t *testing.T, b []byte, outer, tos uint8) {
		p, ok := Parse(b)
		if !ok {
			return
		}
		was := p.TOS
		if got, ok := Decapsulate(was, outer); ok {
			// The DSCP is the inner one, and no mark is lost.
			if got>>2 != was>>2 || got&ecnMask != ce && (outer&ecnMask == ce || was&ecnMask == ce) || got&ecnMask != 0 && was&ecnMask == 0 {
				t.Fatalf("inner %#x, outer %#x: %#x", was, outer, got)
			}
		} else if was&ecnMask != 0 || outer&ecnMask != ce {
			t.Fatalf("inner %#x, outer %#x: dropped", was, outer)
		}
		header := p.Bytes[:p.Header]
		valid := p.V6 || sum(0).add(header).valid()
		SetTOS(&p, tos)
		if q, ok := Parse(p.Bytes); !ok || q.TOS != tos || p.TOS != tos {
			t.Fatalf("%#x after %#x was set", q.TOS, tos)
		}
		if !p.V6 && sum(0).add(header).valid() != valid {
			t.Fatalf("checksum right: %v before, %v after", valid, !valid)
		}
	})
}
