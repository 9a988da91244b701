package tunnel

import (
	"testing"
	"testing/synctest"
	"time"

	"fathom/conf"
	"fathom/crypto"
	"fathom/tunnel/status"
)

func TestASilentPeerIsNoticed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		left, _ := virtualPair(t, conf.Tunnel{}, 0)
		left.wire.cut.Store(true)
		after := until(t, time.Minute, func() bool { return left.state() == status.PeerUnresponsive })
		if after > idleEcho+deadAfter+2*tick {
			t.Errorf("after %v", after)
		}
		if left.log.count("peer does not answer") != 1 {
			t.Errorf("%d warnings", left.log.count("peer does not answer"))
		}
		left.wire.cut.Store(false)
		if back := until(t, time.Minute, func() bool { return left.state() == status.PeerEstablished }); back > 10*time.Second {
			t.Errorf("back after %v", back)
		}
	})
}

// TestWhoSendsAndHearsNothingAsks even if the peer was idle, and so not looked at,
// when the first packet is sent.
func TestWhoSendsAndHearsNothingAsks(t *testing.T) {
	for _, idle := range []time.Duration{time.Second, 3 * time.Second, 8 * time.Second, time.Minute} {
		synctest.Test(t, func(t *testing.T) {
			left, right := virtualPair(t, conf.Tunnel{}, 0)
			left.send(1) // the first on an SA is noticed in any case
			time.Sleep(tick)
			right.send(1)
			time.Sleep(idle)
			until(t, time.Minute, func() (rests bool) { // not between an echo and its reply
				left.do(func(now time.Time) { rests = left.peer.pulse.deadline(now).IsZero() })
				return rests
			})
			left.wire.cut.Store(true)
			began := time.Now()
			left.send(1)
			until(t, time.Minute, func() (asked bool) {
				left.do(func(time.Time) { asked = !left.peer.echo.sent.Before(began) })
				return asked
			})
			if asks := time.Since(began); asks < echoAfter || asks > echoAfter+2*tick {
				t.Errorf("idle for %v: asks after %v", idle, asks)
			}
			until(t, time.Minute, func() bool { return left.state() == status.PeerUnresponsive })
			if dead := time.Since(began); dead < deadAfter || dead > deadAfter+2*tick {
				t.Errorf("idle for %v: gives the peer up after %v", idle, dead)
			}
		})
	}
}

// TestSilenceAmongPacketsIsNoticed as early as after a rest.
func TestSilenceAmongPacketsIsNoticed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		left, right := virtualPair(t, conf.Tunnel{}, 0)
		stream := func(from *virtual, d time.Duration) {
			for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
				from.send(1)
			}
		}
		go stream(right, 10*time.Second)
		stream(left, 10*time.Second)
		began := time.Now()
		left.wire.cut.Store(true)
		go stream(left, 10*time.Second)
		until(t, time.Minute, func() bool { return left.state() == status.PeerUnresponsive })
		if dead := time.Since(began); dead < deadAfter || dead > deadAfter+2*tick {
			t.Errorf("after %v", dead)
		}
		time.Sleep(10 * time.Second)
	})
}

// TestTrafficAnswersTheQuestion: no echo is sent while packets come.
func TestTrafficAnswersTheQuestion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		left, right := virtualPair(t, conf.Tunnel{}, 0)
		time.Sleep(time.Second)
		left.do(func(time.Time) { left.peer.echo = pendingEcho{} })
		for range 300 {
			right.send(1)
			left.send(1)
			time.Sleep(200 * time.Millisecond)
		}
		left.do(func(time.Time) {
			if left.peer.echo.token != 0 || !left.peer.echo.sent.IsZero() {
				t.Error("an echo was sent")
			}
		})
	})
}

// TestAnSAIsReplacedInTime by age and by packets, by the end that made it.
func TestAnSAIsReplacedInTime(t *testing.T) {
	for _, test := range []struct {
		name   string
		tunnel conf.Tunnel
		idle   time.Duration
		send   []int         // with pauses between them
		within time.Duration // of the last packet, or of the age
	}{
		{"its age", conf.Tunnel{RekeyAfter: time.Minute}, 58 * time.Second, nil, 2*time.Second + tick},
		{"its packets", conf.Tunnel{RekeyAfterPackets: 1000}, 0, []int{1000}, tick},
		{"its packets, after a rest", conf.Tunnel{RekeyAfterPackets: 1000}, 57 * time.Second, []int{1000}, tick},
		{"its packets, among others", conf.Tunnel{RekeyAfterPackets: 1000}, 0, []int{900, 10, 10, 10, 900}, tick},
	} {
		synctest.Test(t, func(t *testing.T) {
			left, _ := virtualPair(t, test.tunnel, 0)
			left.send(1)
			time.Sleep(test.idle)
			handshakes := func() (n uint64) {
				left.do(func(time.Time) { n = left.peer.handshakes })
				return n
			}
			if handshakes() != 1 {
				t.Fatalf("%s: %d handshakes", test.name, handshakes())
			}
			for i, packets := range test.send {
				if i > 0 {
					time.Sleep(70 * time.Millisecond)
				}
				left.send(packets)
			}
			if took := until(t, time.Minute, func() bool { return handshakes() == 2 }); took > test.within+2*left.wire.trip+time.Millisecond {
				t.Errorf("%s: after %v", test.name, took)
			}
		})
	}
}

func TestKeepalivesFillTheSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const interval = 4 * time.Second
		left, right := virtualPair(t, conf.Tunnel{}, interval)
		time.Sleep(time.Second)
		began := left.wire.keepalives.Load()
		// The echoes of one end or the other come every ten seconds; between
		// them there is room for two keepalives.
		time.Sleep(time.Minute)
		if n := left.wire.keepalives.Load() - began; n < 10 || n > 15 {
			t.Errorf("%d keepalives in a minute", n)
		}
		began = left.wire.keepalives.Load()
		for range 60 {
			left.send(1)
			right.send(1)
			time.Sleep(time.Second)
		}
		if n := left.wire.keepalives.Load() - began; n != 0 {
			t.Errorf("%d keepalives among packets", n)
		}
	})
}

// TestAnEventThatIsLostComesAgain with the next packet.
func TestAnEventThatIsLostComesAgain(t *testing.T) {
	v := newWire().newVirtual(t, "192.0.2.1:4500", crypto.PrivateKey{1}, conf.Tunnel{}, conf.Peer{PublicKey: conf.Key{9}})
	establish(t, v.controller, v.peer, time.Now())
	sizes := &v.peer.sas.current.outbound.sizes
	sizes.Record(1, 200, 0, true)
	for v.events.notify(v.peer, func(*controller, time.Time) {}) {
	}
	v.events.dataFlows(v.peer)
	if !sizes.Record(2, 200, 0, true) {
		t.Error("no event any more")
	}
}
