package tunnel

import (
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"fathom/conf"
	"fathom/tunnel/control"
)

// appear gives an end another place, as a NAT does that has forgotten it.
func (v *virtual) appear(at netip.AddrPort) {
	v.do(func(time.Time) {
		v.wire.mu.Lock()
		defer v.wire.mu.Unlock()
		delete(v.wire.ends, v.at)
		v.at = at
		v.wire.ends[at] = v
	})
}

// place returns where the peer is.
func (v *virtual) place() (at netip.AddrPort) {
	v.do(func(time.Time) { at = v.peer.path.Remote() })
	return at
}

// TestAPeerThatMovesIsFollowed within a few round trips of its next packet, and once.
func TestAPeerThatMovesIsFollowed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		left, right := virtualPair(t, conf.Tunnel{}, 0)
		before := right.log.count("endpoint")
		there := netip.MustParseAddrPort("192.0.2.3:1024")
		left.appear(there)
		left.send(1)
		took := until(t, time.Minute, func() bool { return right.place() == there })
		if rtt := 2 * left.wire.trip; took > 6*rtt {
			t.Errorf("followed after %v, want 6 round trips of %v", took, rtt)
		}
		time.Sleep(time.Minute)
		if n := right.log.count("endpoint") - before; n != 1 {
			t.Errorf("%d moves, want 1", n)
		}
	})
}

// TestAPeerWithoutChallengesIsFollowed: one of an older version is asked by an echo.
func TestAPeerWithoutChallengesIsFollowed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		left, right := virtualPair(t, conf.Tunnel{}, 0)
		challenges := 0
		left.do(func(time.Time) { left.peer.sas.current.features = 0 })
		right.do(func(time.Time) {
			right.peer.sas.current.features = 0
			right.messenger.sender = countChallenges{right.messenger.sender, &challenges}
		})
		there := netip.MustParseAddrPort("192.0.2.3:1024")
		left.appear(there)
		left.send(1)
		took := until(t, time.Minute, func() bool { return right.place() == there })
		if rtt := 2 * left.wire.trip; took > 6*rtt {
			t.Errorf("followed after %v, want 6 round trips of %v", took, rtt)
		}
		if challenges > 0 {
			t.Errorf("%d challenges that it does not know", challenges)
		}
	})
}

// TestCopiesThatOvertakeMoveNothing: somebody forwards each packet of the peer's from
// another place, so fast that the original is a replay.
func TestCopiesThatOvertakeMoveNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		left, right := virtualPair(t, conf.Tunnel{}, 0)
		before, here := right.log.count("endpoint"), right.place()
		var plpmtu uint64
		right.do(func(time.Time) { plpmtu = uint64(right.peer.path.plpmtu) })
		forger := netip.MustParseAddrPort("192.0.2.66:4500")
		for i := range 3000 {
			from := forger
			if i%2 == 0 && i > 1500 { // now and then the original is the first
				from = left.at
			}
			spi := left.peer.session.Load().sa.SPI()
			right.receive(spi, nil, from)
			time.Sleep(20 * time.Millisecond)
		}
		if right.place() != here || right.log.count("endpoint") != before {
			t.Errorf("the peer is at %v after %d moves", right.place(), right.log.count("endpoint")-before)
		}
		right.do(func(time.Time) {
			if uint64(right.peer.path.plpmtu) != plpmtu {
				t.Errorf("PLPMTU %d, was %d", right.peer.path.plpmtu, plpmtu)
			}
		})
	})
}

// TestOnePairCostsNothing: without a second pair no challenge is sent, and no timer
// runs for one, be data sent or not.
func TestOnePairCostsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		left, right := virtualPair(t, conf.Tunnel{}, 0)
		challenges := 0
		for _, end := range []*virtual{left, right} {
			end.do(func(time.Time) { end.messenger.sender = countChallenges{end.messenger.sender, &challenges} })
		}
		for i := range 240 {
			if i < 120 {
				left.send(1)
				right.send(1)
			}
			time.Sleep(500 * time.Millisecond)
			for _, end := range []*virtual{left, right} {
				var at time.Time
				end.do(func(time.Time) { at = end.peer.paths.Deadline() })
				if !at.IsZero() {
					t.Fatalf("a timer runs until %v", at)
				}
			}
		}
		if challenges > 0 {
			t.Errorf("%d challenges or responses", challenges)
		}
	})
}

// countChallenges counts messages of challenges and responses.
type countChallenges struct {
	messageSender
	n *int
}

func (c countChallenges) control(to *session, payload []byte, size int) error {
	elements, _ := control.Parse(nil, payload)
	if slices.ContainsFunc(elements, func(e control.Element) bool { return e.Type == control.PathChallenge || e.Type == control.PathResponse }) {
		*c.n++
	}
	return c.messageSender.control(to, payload, size)
}
