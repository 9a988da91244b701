//go:build linux

package test

import (
	"encoding/binary"
	"sync/atomic"
	"testing"

	"fathom/esp"
	"fathom/test/gateway"
	"fathom/test/netlab"
	"fathom/test/netlab/labtest"
	"fathom/test/tier"
	"fathom/tunnel/status"
)

// TestServiceClass: the outer packet has the class of service of the inner one,
// and a congestion mark of the path reaches the inner one (RFC 6040). An inner
// packet that cannot carry the mark is dropped.
func TestServiceClass(t *testing.T) {
	tier.Select(t)
	ping := program(t, "ping", "iputils-ping")
	const (
		dscp    = 10 << 2
		ect0    = dscp | 2
		ce      = dscp | 3
		notECT  = dscp
		counted = 3
	)
	for _, test := range []struct {
		name, extra  string
		tos          string
		outer, inner byte // inner as it leaves the tunnel; 0: it does not
	}{
		{"ECN-capable", "", "0x2a", ect0, ce},
		{"not ECN-capable", "", "0x28", notECT, 0},
		{"hidden", "dscp = \"clear\"\necn = \"compatibility\"", "0x2a", 0, ect0},
	} {
		t.Run(test.name, func(t *testing.T) {
			l := newUserPair(t, test.extra, 0)
			up(t, l.a, l.b)
			exact(t, l.a, 1500)
			exact(t, l.b, 1500)
			inside := labtest.Capture(t, l.B.Interface(gateway.Device))
			var seen [256]atomic.Int64
			var crossed atomic.Int64
			l.link.SetFilter(func(dir netlab.Dir, packet []byte) netlab.Verdict {
				// Data from a; control messages and the answers of b are other sizes or ways.
				payload := udpPayload(packet)
				if dir != netlab.AtoB || esp.Classify(payload) != esp.KindESP || len(payload) != esp.PacketSize(500+28) {
					return netlab.Pass
				}
				seen[packet[1]].Add(1)
				crossed.Add(1)
				if test.outer&3 != 0 || test.inner == 0 { // a router under congestion marks
					packet[1] |= 3
					fixIPv4Checksum(packet)
				}
				return netlab.Pass
			})
			_ = l.A.Command(ping, "-c", "3", "-i", "0.05", "-W", "1", "-Q", test.tos, "-s", "500", innerB4).Run()
			left := func() (classes []byte) { // the tunnel
				for _, packet := range inside.Packets() {
					if !packet.Sent && len(packet.Data) == 500+28 {
						classes = append(classes, packet.Data[1])
					}
				}
				return classes
			}
			// Where nothing is answered, ping does not wait for what is under way.
			dropped := await(t, l.b, func(s *status.Status) bool {
				return crossed.Load() >= counted && len(left())+int(s.Peers[0].Dropped["congestion"]) >= counted
			}).Peers[0].Dropped["congestion"]
			inside.Stop()
			if n := seen[test.outer].Load(); n != counted {
				t.Errorf("%d outer packets have the class %#x, want %d", n, test.outer, counted)
			}
			out := left()
			for _, class := range out {
				if class != test.inner {
					t.Errorf("an inner packet leaves with %#x, want %#x", class, test.inner)
				}
			}
			if test.inner == 0 && (len(out) != 0 || dropped != counted) || test.inner != 0 && (len(out) != counted || dropped != 0) {
				t.Errorf("%d packets left the tunnel, %d were dropped", len(out), dropped)
			}
		})
	}
}

// fixIPv4Checksum computes the checksum of an IPv4 header.
func fixIPv4Checksum(packet []byte) {
	packet[10], packet[11] = 0, 0
	sum := uint32(0)
	for i := 0; i < int(packet[0]&15)*4; i += 2 {
		sum += uint32(binary.BigEndian.Uint16(packet[i:]))
	}
	for sum>>16 != 0 {
		sum = sum>>16 + sum&0xffff
	}
	binary.BigEndian.PutUint16(packet[10:], ^uint16(sum))
}
