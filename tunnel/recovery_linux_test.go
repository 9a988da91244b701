package tunnel

import (
	"bytes"
	"testing"
	"testing/synctest"
	"time"

	"fathom/conf"
	"fathom/crypto"
	"fathom/tunnel/control"
	"fathom/tunnel/status"
)

// agree reports whether two ends send on each other's current pair.
func agree(left, right *virtual) bool {
	pair := func(v *virtual) (send, receive uint32) {
		v.do(func(time.Time) {
			if p := v.peer.sas.current; p != nil {
				send, receive = p.outbound.SPI(), p.inbound.spi
			}
		})
		return send, receive
	}
	send, receive := pair(left)
	itsSend, itsReceive := pair(right)
	return send != 0 && send == itsReceive && receive == itsSend
}

// TestARestartedPeerIsBackAtOnce: it calls, and is answered. The end that was
// called finds in its file where the other is.
func TestARestartedPeerIsBackAtOnce(t *testing.T) {
	for _, test := range []struct {
		name            string
		caller, crashes bool
	}{
		{"the end that calls is stopped", true, false},
		{"the end that calls crashes", true, true},
		{"the end that is called is stopped", false, false},
		{"the end that is called crashes", false, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				left, right := virtualPair(t, conf.Tunnel{}, 0)
				if test.caller {
					left = left.restart(t, test.crashes)
				} else {
					right = right.restart(t, test.crashes)
				}
				took := until(t, time.Minute, func() bool { return agree(left, right) })
				// The initiation, the response, and the first packet on the new pair.
				if most := 3*left.wire.trip + time.Millisecond; took > most {
					t.Errorf("back after %v, want %v", took, most)
				}
			})
		})
	}
}

// TestACloseEndsItsOwnPairOnly: that of a peer's last run may come when the next
// run has called already.
func TestACloseEndsItsOwnPairOnly(t *testing.T) {
	for _, test := range []struct {
		name  string
		comes func(right *virtual, old *inboundSA) bool // it comes as soon as this holds
	}{
		{"when the new pair has been answered", func(right *virtual, _ *inboundSA) bool { return len(right.peer.sas.pairs) > 1 }},
		{"when the new pair is in use", func(right *virtual, old *inboundSA) bool { return right.peer.sas.current.inbound != old }},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				left, right := virtualPair(t, conf.Tunnel{}, 0)
				var old *inboundSA
				right.do(func(time.Time) { old = right.peer.sas.current.inbound })
				left = left.restart(t, true)
				began := time.Now()
				until(t, time.Minute, func() (comes bool) {
					right.do(func(time.Time) { comes = test.comes(right, old) })
					return comes
				})
				right.receive(old.spi, control.AppendClose(nil), left.at)
				until(t, time.Minute, func() bool { return agree(left, right) })
				// As in TestARestartedPeerIsBackAtOnce.
				if took, most := time.Since(began), 3*left.wire.trip+2*time.Millisecond; took > most {
					t.Errorf("back after %v, want %v", took, most)
				}
				right.do(func(time.Time) {
					if right.spis.get(old.spi) != nil || right.peer.sas.find(old) != nil {
						t.Error("the closed pair still receives")
					}
				})
				time.Sleep(time.Second)
				if !agree(left, right) || right.state() != status.PeerEstablished || right.peer.handshakes != 2 {
					t.Errorf("a second later: %v, %d handshakes", right.state(), right.peer.handshakes)
				}
			})
		})
	}
}

func TestAPeerThatSaysGoodbyeIsGoneAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		left, right := virtualPair(t, conf.Tunnel{}, 0)
		left.stop()
		took := until(t, time.Minute, func() bool { return right.state() != status.PeerEstablished })
		if most := right.wire.trip + time.Millisecond; took > most {
			t.Errorf("gone after %v, want %v", took, most)
		}
	})
}

// TestAHandshakeIsSoonTriedAgain when messages of it are lost.
func TestAHandshakeIsSoonTriedAgain(t *testing.T) {
	for _, test := range []struct {
		name    string
		loses   func(n int64) bool
		retries int
	}{
		{"none is lost", nil, 0},
		{"the initiation is lost", func(n int64) bool { return n == 1 }, 1},
		{"the response is lost", func(n int64) bool { return n == 2 }, 1},
		{"three messages are lost", func(n int64) bool { return n <= 3 }, 3},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				left, right := newVirtualPair(t, conf.Tunnel{}, 0)
				left.wire.loses = test.loses
				right.start(t)
				left.start(t)
				took := until(t, time.Minute, func() bool { return agree(left, right) })
				most := 3*left.wire.trip + time.Millisecond
				for n := range test.retries {
					most += crypto.RetryAfter(n, bytes.NewReader([]byte{255})) // with the most jitter
				}
				if took > most {
					t.Errorf("established after %v, want %v", took, most)
				}
			})
		})
	}
}
