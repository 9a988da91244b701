package tunnel

import (
	"net/netip"
	"testing"
	"testing/synctest"

	"fathom/tunnel/host"
)

// filteringHost drops what comes back by one uplink from one place.
type filteringHost struct {
	*waysHost
	uplink string
	from   netip.AddrPort // invalid: nothing is dropped
}

func (h *filteringHost) ReversePathDrops(ways []host.Way) (uplinks []string) {
	for _, w := range ways {
		if w.Uplink == h.uplink && w.Remote == h.from {
			return []string{h.uplink}
		}
	}
	return nil
}

// TestAFilterIsToldOnce, though it does not concern another peer by the same uplink; and
// once more after it was away.
func TestAFilterIsToldOnce(t *testing.T) {
	const told = "rp_filter drops what peers send to an uplink"
	synctest.Test(t, func(t *testing.T) {
		m := newMultihomed(t, false)
		concerned, other := m.left.peer, &peer{name: "other", candidates: []netip.AddrPort{netip.MustParseAddrPort("192.0.2.3:4500")}}
		other.forgetPaths()
		concerned.candidates = []netip.AddrPort{m.right.at}
		filter := &filteringHost{m.host, "wan2", m.right.at}
		m.left.controller.host.network = filter
		look := func() {
			for range 3 {
				for _, p := range []*peer{concerned, other} {
					m.left.lookForWays(p, netip.AddrPort{})
				}
			}
		}
		for want, from := range []netip.AddrPort{{}, m.right.at, {}, m.right.at} {
			filter.from = from
			look()
			if n := m.left.log.count(told); n != (want+1)/2 {
				t.Fatalf("told %d times, want %d", n, (want+1)/2)
			}
		}
	})
}
