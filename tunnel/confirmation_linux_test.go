package tunnel

import (
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"fathom/conf"
	"fathom/tunnel/control"
	"fathom/tunnel/status"
)

// rekey has an end replace its pair, and returns the new one when its response has
// come.
func (v *virtual) rekey(t *testing.T) (renewed *saPair) {
	t.Helper()
	old := v.newest()
	v.do(func(now time.Time) { v.peer.initiations.want(now); v.attend(v.peer, now) })
	until(t, time.Minute, func() bool { renewed = v.newest(); return renewed != old })
	return renewed
}

func (v *virtual) newest() (pair *saPair) {
	v.do(func(time.Time) { pair = v.peer.sas.newest() })
	return pair
}

// sendsOn returns the SPI of the pair that an end sends on.
func (v *virtual) sendsOn() (spi uint32) {
	v.do(func(time.Time) { spi = v.peer.sas.current.outbound.SPI() })
	return spi
}

// TestTheOtherEndFollowsWithinTwoRoundTrips to a new pair though no data flows, and
// though the first echo or the answer to it is lost.
func TestTheOtherEndFollowsWithinTwoRoundTrips(t *testing.T) {
	for _, test := range []struct {
		name  string
		trip  time.Duration
		loses func(fromLeft bool, n int) bool // message n of those on the new pair
	}{
		{"nothing is lost", 10 * time.Millisecond, func(bool, int) bool { return false }},
		{"the echo is lost", 50 * time.Millisecond, func(fromLeft bool, n int) bool { return fromLeft && n == 1 }},
		{"the answer is lost", 50 * time.Millisecond, func(fromLeft bool, n int) bool { return !fromLeft && n == 1 }},
		{"the echo is lost on a slow path", 600 * time.Millisecond, func(fromLeft bool, n int) bool { return fromLeft && n == 1 }},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				left, right := newVirtualPair(t, conf.Tunnel{}, 0)
				left.wire.trip = test.trip
				right.start(t)
				left.start(t)
				until(t, time.Minute, func() bool { return agree(left, right) })
				time.Sleep(5 * time.Second)
				olds := []*outboundSA{left.newest().outbound, right.newest().outbound}
				sent := make(map[bool]int)
				left.wire.loseControl(func(from *virtual, on *outboundSA) bool {
					if slices.Contains(olds, on) {
						return false
					}
					sent[from == left]++
					return test.loses(from == left, sent[from == left])
				})
				renewed := left.rekey(t)
				took := until(t, time.Minute, func() bool { return right.sendsOn() == renewed.inbound.spi })
				if most := 4*test.trip + 3*time.Millisecond; took > most {
					t.Errorf("after %v, want %v", took, most)
				}
				until(t, time.Minute, func() bool { return agree(left, right) })
			})
		})
	}
}

// TestAnUndisturbedHandshakeCostsTwoMessagesAndAnEcho, at the start and at a rekey.
func TestAnUndisturbedHandshakeCostsTwoMessagesAndAnEcho(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		left, right := newVirtualPair(t, conf.Tunnel{}, 0)
		var controls atomic.Int64
		left.wire.loseControl(func(*virtual, *outboundSA) bool { controls.Add(1); return false })
		right.start(t)
		left.start(t)
		for n := int64(1); n <= 3; n++ {
			time.Sleep(2 * time.Second)
			if h, c := left.wire.handshakes.Load(), controls.Load(); h != 2*n || c != 2*n || !agree(left, right) {
				t.Errorf("%d handshake messages and %d control messages after %d handshakes", h, c, n)
			}
			left.rekey(t)
		}
	})
}

// TestAPairThatIsNeverConfirmedIsReplaced by another handshake, and meanwhile the
// old one carries the data.
func TestAPairThatIsNeverConfirmedIsReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		left, right := virtualPair(t, conf.Tunnel{}, 0)
		old := left.newest()
		var dead *outboundSA
		left.wire.loseControl(func(from *virtual, on *outboundSA) bool {
			if from == left && on != old.outbound && dead == nil {
				dead = on
			}
			return on == dead
		})
		left.rekey(t)
		until(t, time.Minute, func() bool { return left.sendsOn() == old.outbound.SPI() })
		took := until(t, time.Minute, func() bool { return left.sendsOn() != old.outbound.SPI() && agree(left, right) })
		if took > 10*time.Second {
			t.Errorf("after %v", took)
		}
	})
}

// TestALateCloseEndsNothingNew: the peer has been back for long.
func TestALateCloseEndsNothingNew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		left, right := virtualPair(t, conf.Tunnel{}, 0)
		old := left.newest()
		current := left.rekey(t)
		until(t, time.Minute, func() bool { return agree(left, right) })
		left.do(func(now time.Time) {
			left.handleControl(old.inbound, control.AppendClose(nil), false, origin{from: right.at, local: left.at.Addr()}, now)
		})
		left.do(func(time.Time) {
			if left.peer.sas.current != current || left.peer.sas.find(old.inbound) != nil {
				t.Error("the late message has ended another pair, or not its own")
			}
		})
		left.do(func(now time.Time) {
			left.handleControl(current.inbound, control.AppendClose(nil), false, origin{from: right.at, local: left.at.Addr()}, now)
		})
		if state := left.state(); state == status.PeerEstablished {
			t.Error("the peer has ended, and is established")
		}
	})
}
