package tunnel

import (
	"fmt"
	"testing"
	"time"
)

// TestPTBThatTellsNoUsableMTU: a router before RFC 1191 tells 0, others less than any
// size that may be used. Where the quote is true the PLPMTU is verified, and stays.
func TestPTBThatTellsNoUsableMTU(t *testing.T) {
	for _, mtu := range []int{0, 68, 575} {
		t.Run(fmt.Sprint(mtu), func(t *testing.T) {
			h := newHub(t, 1)
			p := h.peers[0]
			sa := p.sas.current.outbound
			numbers, err := sa.Reserve(1)
			if err != nil {
				t.Fatal(err)
			}
			plpmtu, seq := p.path.plpmtu, numbers.Next()
			sa.sizes.Record(seq, plpmtu, p.path.number, true)
			h.now = h.now.Add(time.Millisecond)
			h.probes = nil
			p.handlePTB(p.path.Remote(), mtu, sa.SPI(), seq, h.now)
			h.attend(p, h.now)
			if len(h.probes) < 2 {
				t.Errorf("%d probes leave", len(h.probes))
			}
			if p.path.plpmtu != plpmtu {
				t.Errorf("PLPMTU %d, was %d", p.path.plpmtu, plpmtu)
			}
		})
	}
}
