package tunnel

import (
	"testing"
	"time"

	"fathom/conf"
	"fathom/crypto"
	"fathom/esp"
)

// TestFirstUse: the time until the first packet on a pair is a round trip only if
// that packet is the first that the peer has sent.
func TestFirstUse(t *testing.T) {
	const rtt = 20 * time.Millisecond
	for _, test := range []struct {
		name    string
		after   time.Duration
		numbers []uint32 // of the packets that have arrived
		want    time.Duration
		certain bool
	}{
		{"the first packet", rtt, []uint32{1}, rtt, true},
		{"the first packet, and others behind it", rtt, []uint32{1, 2, 3}, rtt, true},
		{"the first packet, which another has overtaken", rtt, []uint32{2, 1}, rtt, true},
		{"the first packet was lost", rtt, []uint32{2}, 0, false},
		{"more were lost", rtt, []uint32{10, 11}, 0, false},
		{"late enough for a second echo", confirmEvery, []uint32{1}, 0, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			now := time.Now()
			pair, err := newSAPair(newPeer(conf.Peer{}), crypto.Keys{SendSPI: 1000, ReceiveSPI: 1001, Suite: uint16(esp.AES256GCM)}, false, now)
			if err != nil {
				t.Fatal(err)
			}
			for _, n := range test.numbers {
				pair.inbound.in.Window().Accept(n)
			}
			if rtt, certain := pair.firstUse(now.Add(test.after)); rtt != test.want || certain != test.certain {
				t.Errorf("%v, %v", rtt, certain)
			}
		})
	}
}
