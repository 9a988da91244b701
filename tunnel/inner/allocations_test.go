package inner

import (
	"testing"

	"github.com/gopacket/gopacket/layers"
)

// TestThePacketPathDoesNotAllocate covers the parts of the packet path that are
// not tested beside each cutter.
func TestThePacketPathDoesNotAllocate(t *testing.T) {
	b := udpPacket(t, ip6(layers.IPProtocolUDP), counted(2000))
	s := syn(t, ip4(layers.IPProtocolTCP), mssOption(1460))
	room := make([]byte, 0, 2000)
	var splitter Splitter
	var limit PTBLimit
	for name, do := range map[string]func(){
		"parse": func() {
			if _, ok := Parse(b); !ok {
				t.Fatal("no packet")
			}
		},
		"split": func() {
			p, _ := Parse(b)
			if err := splitter.Split(&p, 1200); err != nil {
				t.Fatal(err)
			}
			for ok := true; ok; {
				_, ok = splitter.Next(room)
			}
		},
		"answer": func() {
			p, _ := Parse(b)
			limit.Allow(p.Source, epoch)
			if _, err := AppendPTB(room, &p, 1280); err != nil {
				t.Fatal(err)
			}
		},
		"clamp": func() {
			p, _ := Parse(s)
			ClampMSS(&p, 1400, false)
			setMSS(p.Bytes[p.Header:], 22, 1460, false)
		},
		"mark": func() {
			p, _ := Parse(b)
			tos, _ := Decapsulate(p.TOS^ect0, ce)
			SetTOS(&p, tos^0xfc)
		},
	} {
		t.Run(name, func(t *testing.T) {
			if n := testing.AllocsPerRun(100, do); n > 0 {
				t.Errorf("%v allocations", n)
			}
		})
	}
}
