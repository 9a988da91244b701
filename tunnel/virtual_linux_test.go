package tunnel

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"net/netip"
	"path/filepath"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"fathom/conf"
	"fathom/crypto"
	"fathom/esp"
	"fathom/tunnel/status"
	"fathom/tunnel/udp"
)

// The tests here run controllers without sockets, device and clock: messages go
// through memory, and time is that of package synctest. The tests do the work of
// the packet loops themselves.

// virtual is a controller whose messages reach others in memory.
type virtual struct {
	*controller
	at   netip.AddrPort
	peer *peer // the first
	log  *logRecorder
	wire *wire
	stop context.CancelFunc
}

// wire joins controllers. Owned by the test, and read by their goroutines.
type wire struct {
	trip time.Duration // one way
	mtu  int           // bytes of the outer IP packet
	cut  atomic.Bool
	ends map[netip.AddrPort]*virtual
	// keepalives counts what the ends have sent.
	keepalives atomic.Int64
}

// newVirtual makes a controller at an address with the given peers.
func (w *wire) newVirtual(t testing.TB, at string, key crypto.PrivateKey, tunnel conf.Tunnel, peers ...conf.Peer) *virtual {
	t.Helper()
	tunnel.Name, tunnel.PrivateKey = "virtual", conf.SecretKey(key)
	tunnel.Ciphers = []string{"aes-256-gcm"}
	tunnel.StatusSocket = filepath.Join(t.TempDir(), "status.sock")
	if tunnel.RekeyAfter == 0 {
		tunnel.RekeyAfter = 2 * time.Minute
	}
	if tunnel.RekeyAfterPackets == 0 {
		tunnel.RekeyAfterPackets = 1 << 30
	}
	v := &virtual{at: netip.MustParseAddrPort(at), log: &logRecorder{seen: make(map[string]int)}, wire: w}
	engine, err := New(&conf.Config{Tunnel: tunnel, Peers: peers}, Options{Logger: slog.New(v.log)})
	if err != nil {
		t.Fatal(err)
	}
	v.controller, err = engine.newController(testHost{1500}, nil, func(*events) (messageSender, *forwarder) { return v, &forwarder{} })
	if err != nil {
		t.Fatal(err)
	}
	v.peer = v.peers[0]
	w.ends[v.at] = v
	return v
}

// start runs the controller until the test ends.
func (v *virtual) start(t testing.TB) {
	ctx, cancel := context.WithCancel(context.Background())
	v.stop = cancel
	go v.run(ctx)
	t.Cleanup(cancel)
}

// do has the control goroutine call f, and waits for it.
func (v *virtual) do(f func(now time.Time)) {
	done := make(chan struct{})
	v.events.post(func(_ *controller, now time.Time) { f(now); close(done) })
	<-done
}

func (v *virtual) state() (s status.PeerState) {
	v.do(func(time.Time) { s = v.peer.state() })
	return s
}

// later calls f when a packet has made its trip.
func (w *wire) later(to netip.AddrPort, f func(far *virtual)) {
	far := w.ends[to]
	if far == nil || w.cut.Load() {
		return
	}
	time.AfterFunc(w.trip, func() { f(far) })
}

func (v *virtual) control(to *session, payload []byte, size int) error {
	_, err := to.sa.Reserve(1)
	if err != nil {
		return err
	}
	if size > v.wire.mtu {
		return nil
	}
	v.wire.later(to.path.Remote(), func(far *virtual) { far.receive(to.sa.SPI(), payload, v.at) })
	return nil
}

// receive does a packet loop's work on an ESP packet. One without payload is data.
func (v *virtual) receive(spi uint32, payload []byte, from netip.AddrPort) {
	sa := v.spis.get(spi)
	if sa == nil {
		return
	}
	sa.peer.authentic.Add(1)
	if to := sa.peer.session.Load(); to == nil || !to.path.Matches(from, v.at.Addr()) {
		v.events.moved(sa.peer, from, v.at.Addr())
	}
	if sa.used.CompareAndSwap(false, true) {
		v.events.firstUse(sa)
	}
	if payload != nil {
		v.events.message(sa, payload, false)
	}
}

// send does a packet loop's work on packets of data. Only the last arrives.
func (v *virtual) send(packets int) {
	to := v.peer.session.Load()
	for range packets {
		numbers, err := to.sa.Reserve(1)
		if err != nil {
			panic(err)
		}
		if to.sa.sizes.Record(numbers.Next(), 200, true) {
			v.events.dataFlows(v.peer)
		}
	}
	v.wire.later(to.path.Remote(), func(far *virtual) { far.receive(to.sa.SPI(), nil, v.at) })
}

func (v *virtual) plain(datagram []byte, to *udp.Destination) error {
	v.wire.later(to.Remote(), func(far *virtual) {
		far.events.handshake(datagram[esp.MarkerSize:], v.at, far.at.Addr())
	})
	return nil
}

func (v *virtual) keepalive(*udp.Destination) error { v.wire.keepalives.Add(1); return nil }
func (v *virtual) flush() error                     { return nil }

func newWire() *wire {
	return &wire{trip: 10 * time.Millisecond, mtu: 1500, ends: make(map[netip.AddrPort]*virtual)}
}

// virtualPair runs two ends that are established; the left one has called.
func virtualPair(t *testing.T, tunnel conf.Tunnel, keepalive time.Duration) (left, right *virtual) {
	t.Helper()
	var keys [2]crypto.PrivateKey
	var peers [2]conf.Peer
	for i := range keys {
		var err error
		if keys[i], err = crypto.GeneratePrivateKey(rand.Reader); err != nil {
			t.Fatal(err)
		}
		public, err := keys[i].Public()
		if err != nil {
			t.Fatal(err)
		}
		peers[i] = conf.Peer{Name: fmt.Sprint(i), PublicKey: conf.Key(public)}
	}
	peers[1].Endpoint = conf.Endpoint{Host: "192.0.2.2", Port: 4500}
	peers[1].Keepalive = keepalive
	for i := range peers {
		peers[i].PLPMTU = 1400 // a discovery would also wait for packets
	}
	w := newWire()
	left = w.newVirtual(t, "192.0.2.1:4500", keys[0], tunnel, peers[1])
	right = w.newVirtual(t, "192.0.2.2:4500", keys[1], tunnel, peers[0])
	right.start(t)
	left.start(t)
	time.Sleep(time.Second)
	if l, r := left.state(), right.state(); l != status.PeerEstablished || r != status.PeerEstablished {
		t.Fatalf("after a second: %v and %v", l, r)
	}
	return left, right
}

// until waits until the condition holds, and returns how long that took.
func until(t *testing.T, atMost time.Duration, condition func() bool) time.Duration {
	t.Helper()
	began := time.Now()
	for !condition() {
		if time.Since(began) > atMost {
			t.Fatalf("not within %v", atMost)
		}
		time.Sleep(time.Millisecond)
		synctest.Wait()
	}
	return time.Since(began)
}

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
	sizes.Record(1, 200, true)
	for v.events.post(func(*controller, time.Time) {}) {
	}
	v.events.dataFlows(v.peer)
	if !sizes.Record(2, 200, true) {
		t.Error("no event any more")
	}
}
