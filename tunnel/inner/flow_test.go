package inner

import (
	"testing"

	"github.com/gopacket/gopacket/layers"
)

func TestFlowHash(t *testing.T) {
	swapped := func(b []byte, addresses, size, ports int) []byte {
		s := append([]byte(nil), b...)
		copy(s[addresses:], b[addresses+size:addresses+2*size])
		copy(s[addresses+size:], b[addresses:addresses+size])
		copy(s[ports:], b[ports+2:ports+4])
		copy(s[ports+2:], b[ports:ports+2])
		return s
	}
	v4 := tcpPacket(t, ip4(layers.IPProtocolTCP), &layers.TCP{SrcPort: 40001, DstPort: 443, ACK: true}, counted(10))
	v6 := udpPacket(t, ip6(layers.IPProtocolUDP), counted(10))
	if FlowHash(v4) != FlowHash(swapped(v4, 12, 4, 20)) || FlowHash(v6) != FlowHash(swapped(v6, 8, 16, 40)) {
		t.Error("the directions of a flow differ")
	}
	for n := range v4 { // cut short anywhere
		FlowHash(v4[:n])
	}
	for n := range v6 {
		FlowHash(v6[:n])
	}
	// Flows spread evenly over queues.
	const flows, queues = 4096, 4
	var count [queues]int
	for port := range flows {
		v4[20], v4[21] = byte(port>>8), byte(port)
		count[FlowHash(v4)%queues]++
	}
	for i, n := range count {
		if n < flows/queues*8/10 || n > flows/queues*12/10 {
			t.Errorf("queue %d has %d of %d flows", i, n, flows)
		}
	}
	fragment := append([]byte(nil), v4...)
	fragment[6] = 0x20
	if FlowHash(fragment) == FlowHash(v4) {
		t.Error("a fragment, which may lack the ports, is told by them")
	}
}
