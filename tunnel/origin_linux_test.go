package tunnel

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"fathom/tunnel/paths"
)

// TestWhatALostUplinkHasCarriedLeadsNowhere: packets that came by an uplink before the
// host lost it may be looked at after that. Their address is still the host's, and from
// it the kernel would send by the other uplink.
func TestWhatALostUplinkHasCarriedLeadsNowhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMultihomed(t, false)
		m.start(t)
		m.flow(time.Second)
		m.host.lose(1, m.left.changes)
		late := origin{from: m.right.at, local: m.host.uplinks[0], index: 1, bytes: 200, newest: true}
		m.left.do(func(now time.Time) {
			p := m.left.peer
			m.left.hostChanged(m.left.changes.Take(), now)
			if p.path.pair.Interface != 2 {
				t.Errorf("the pair in use is %v", p.path.pair)
			}
			m.left.arrived(p, late, true, now)
			m.left.challenged(p, late, paths.Challenge{Token: 1, Stalled: true}, now)
			if slices.ContainsFunc(p.paths.Status(now), func(s paths.Status) bool { return s.Interface == 0 }) {
				t.Errorf("a pair leads by whatever uplink: %+v", p.paths.Status(now))
			}
			if p.refused.has(m.right.at, now) {
				t.Error("the peer is not heard by the other uplink, either")
			}
		})
	})
}
