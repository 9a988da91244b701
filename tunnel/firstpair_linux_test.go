package tunnel

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"fathom/conf"
	"fathom/tunnel/host"
	"fathom/tunnel/paths"
)

// TestTheFirstPairIsOneOfTheHosts: the handshake has come by a pair that the host offers,
// and there is no other, whichever end has called.
func TestTheFirstPairIsOneOfTheHosts(t *testing.T) {
	for _, called := range []bool{false, true} {
		t.Run(fmt.Sprintf("called %v", called), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := newMultihomed(t, called)
				m.start(t)
				m.left.do(func(now time.Time) {
					for _, p := range m.left.peer.paths.Status(now) {
						if !p.Ours || p.Pair.Interface == 0 || p.InUse != (p.Pair.Interface == 1) {
							t.Errorf("%+v", p)
						}
					}
					if n := len(m.left.peer.paths.Status(now)); n != 2 {
						t.Errorf("%d pairs, want one by each uplink", n)
					}
				})
				left, right := m.left.log.count("endpoint"), m.right.log.count("endpoint")
				m.flow(2 * time.Minute)
				if m.left.log.count("endpoint") != left || m.right.log.count("endpoint") != right {
					t.Error("the pair in use changes though all work")
				}
			})
		})
	}
}

// TestAnEndThatAnswersDecides, too, if it has several pairs: it says so in its response.
func TestAnEndThatAnswersDecides(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMultihomed(t, true)
		m.right.peer.endpoints = m.right.peer.endpoints[:1] // it has one pair, and calls
		m.start(t)
		roles := func() (left, right paths.Role) {
			m.left.do(func(time.Time) { left = m.left.peer.paths.Role() })
			m.right.do(func(time.Time) { right = m.right.peer.paths.Role() })
			return left, right
		}
		if left, right := roles(); left != paths.Decider || right != paths.Follower {
			t.Errorf("the end with two uplinks is %v, the other one %v", left, right)
		}
		m.left.do(func(time.Time) {
			if pair := m.left.peer.sas.current; pair.initiator {
				t.Error("it has called: this shows nothing")
			}
		})
	})
}

// movingHost is a testHost by whose interfaces packets leave in turn.
type movingHost struct {
	testHost
	by int
}

func (h *movingHost) Egress(host.Flow) (host.Egress, error) {
	return host.Egress{MTU: h.mtu, Interface: h.by}, nil
}

// TestTheKernelTakesAnotherInterface for packets from the same address: that is another
// path, though the pair is the same.
func TestTheKernelTakesAnotherInterface(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		left, right := newDiscoveringPair(t, conf.Tunnel{})
		h := &movingHost{testHost{1500}, 1}
		left.host.network = h
		right.start(t)
		left.start(t)
		settled := func() (is bool, by int) {
			left.do(func(time.Time) { is, by = left.peer.discovery.Settled(), left.peer.path.by })
			return is, by
		}
		time.Sleep(10 * time.Second)
		if is, by := settled(); !is || by != 1 {
			t.Fatalf("settled: %v, by interface %d", is, by)
		}
		left.do(func(time.Time) { h.by = 2 })
		left.changes.Any()
		searched := false
		until(t, time.Minute, func() bool {
			is, by := settled()
			searched = searched || !is && by == 2
			return is && by == 2
		})
		if !searched {
			t.Error("the other path has the size of the former one, unseen")
		}
	})
}
