package tunnel

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"net/netip"
	"path/filepath"
	"slices"
	"sync"
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

// virtual is a controller without sockets, device and clock: messages go to others
// through memory, and time is that of package synctest. The tests do the work of
// the packet loops themselves.
type virtual struct {
	*controller
	at     netip.AddrPort
	peer   *peer // the first
	log    *logRecorder
	wire   *wire
	stop   context.CancelFunc
	config conf.Config
	mute   atomic.Bool // it has crashed, and sends nothing
	// probed is told of the packets of probes that are sent; nil: nobody is. It is set
	// before the end is started.
	probed func(payload []byte, size int, as variant)
	// others are the addresses by which it is reached beside at.
	others []netip.Addr
	// leaves says from where a datagram leaves its host, false if by no uplink; nil: from
	// one of its addresses.
	leaves func(to *udp.Destination) (from netip.AddrPort, ok bool)
	// reception notes when data arrives.
	reception reception
}

// wire joins controllers.
type wire struct {
	trip time.Duration // one way
	mtu  int           // bytes of the outer IP packet
	cut  atomic.Bool
	// loses says whether handshake message n, counted from 1, is lost; nil: none.
	// It is set before the ends are started.
	loses      func(n int64) bool
	handshakes atomic.Int64 // messages sent

	mu   sync.Mutex
	ends map[netip.AddrPort]*virtual // guarded by mu
	// lost says whether a control message is lost; nil: none. Guarded by mu.
	lost func(from *virtual, on *outboundSA) bool
	// blocks says whether nothing gets from an end to another by some addresses; nil:
	// all does. Guarded by mu.
	blocks func(from, to netip.AddrPort) bool
	// routers are those of the path; see hop.
	routers []virtualRouter
	// keepalives counts what the ends have sent.
	keepalives atomic.Int64
}

// newVirtual makes a controller at an address with the given peers.
func (w *wire) newVirtual(t testing.TB, at string, key crypto.PrivateKey, tunnel conf.Tunnel, peers ...conf.Peer) *virtual {
	t.Helper()
	tunnel.Name, tunnel.PrivateKey = "virtual", conf.SecretKey(key)
	tunnel.Ciphers = []string{"aes-256-gcm"}
	if tunnel.StatusSocket == "" {
		tunnel.StatusSocket = filepath.Join(t.TempDir(), "status.sock")
	}
	if tunnel.RekeyAfter == 0 {
		tunnel.RekeyAfter = 2 * time.Minute
	}
	if tunnel.RekeyAfterPackets == 0 {
		tunnel.RekeyAfterPackets = 1 << 30
	}
	v := &virtual{at: netip.MustParseAddrPort(at), log: &logRecorder{seen: make(map[string]int)}, wire: w}
	v.config = conf.Config{Tunnel: tunnel, Peers: peers}
	engine, err := New(&v.config, Options{Logger: slog.New(v.log)})
	if err != nil {
		t.Fatal(err)
	}
	shared, err := engine.newShared()
	if err != nil {
		t.Fatal(err)
	}
	v.controller = engine.newController(shared, testHost{1500}, 0, nil, v, v, &forwarder{})
	v.peer = v.peers[0]
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ends[v.at] = v
	return v
}

// start runs the controller until the test ends.
func (v *virtual) start(t testing.TB) {
	ctx, cancel := context.WithCancel(context.Background())
	v.stop = cancel
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		v.run(ctx)
	}()
	t.Cleanup(func() {
		cancel()
		<-ended // it writes to a folder that is removed
	})
}

// restart ends the controller, with a farewell unless it crashes, and runs another
// at the same place with the same configuration. Call it in a bubble.
func (v *virtual) restart(t testing.TB, crashes bool) *virtual {
	t.Helper()
	v.mute.Store(crashes)
	v.stop()
	time.Sleep(v.wire.trip + time.Millisecond) // what it has said has arrived by then
	c := v.config.Tunnel
	next := v.wire.newVirtual(t, v.at.String(), crypto.PrivateKey(c.PrivateKey), c, v.config.Peers...)
	next.start(t)
	return next
}

// do has the control goroutine call f, and waits for it.
func (v *virtual) do(f func(now time.Time)) {
	if err := v.events.ask(context.Background(), func(_ *controller, now time.Time) { f(now) }); err != nil {
		panic(err)
	}
}

func (v *virtual) state() (s status.PeerState) {
	v.do(func(time.Time) { s = v.peer.state() })
	return s
}

// later calls f when a packet has made its trip.
func (w *wire) later(from, to netip.AddrPort, f func(far *virtual)) {
	w.mu.Lock()
	far := w.ends[to]
	blocked := w.blocks != nil && w.blocks(from, to)
	w.mu.Unlock()
	if far == nil || blocked || w.cut.Load() {
		return
	}
	time.AfterFunc(w.trip, func() { f(far) })
}

// block has f decide which packets are lost.
func (w *wire) block(f func(from, to netip.AddrPort) bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.blocks = f
}

// from returns where a packet comes from, false if it does not leave the host. local is
// the address that it is to leave from.
func (v *virtual) from(to *udp.Destination, local netip.Addr) (at netip.AddrPort, ok bool) {
	switch {
	case v.leaves != nil:
		return v.leaves(to)
	case slices.Contains(v.others, local):
		return netip.AddrPortFrom(local, v.at.Port()), true
	}
	return v.at, true
}

func (v *virtual) control(to *session, payload []byte, size int) error {
	_, err := to.sa.Reserve(1)
	if err != nil {
		return err
	}
	if size > v.wire.mtu || v.mute.Load() || v.wire.losesControl(v, to.sa) {
		return nil
	}
	v.passOn(to, payload)
	return nil
}

func (v *virtual) probe(to *session, payload []byte, size int, as variant) error {
	if v.probed != nil {
		v.probed(payload, size, as)
	}
	return v.control(to, payload, size)
}

// passOn takes an ESP packet to the other end.
func (v *virtual) passOn(to *session, payload []byte) {
	at := to.path.Remote()
	if from, ok := v.from(to.path.Destination, to.path.pair.Local); ok {
		v.wire.later(from, at, func(far *virtual) { far.arrive(to.sa.SPI(), payload, from, at.Addr()) })
	}
}

// loseControl has f decide which control messages are lost.
func (w *wire) loseControl(f func(from *virtual, on *outboundSA) bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lost = f
}

func (w *wire) losesControl(from *virtual, on *outboundSA) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.lost != nil && w.lost(from, on)
}

// receive does a packet loop's work on an ESP packet. One without payload is data.
func (v *virtual) receive(spi uint32, payload []byte, from netip.AddrPort) {
	v.arrive(spi, payload, from, v.at.Addr())
}

// arrive is receive at one of its addresses.
func (v *virtual) arrive(spi uint32, payload []byte, from netip.AddrPort, local netip.Addr) {
	sa := v.spis.get(spi)
	if sa == nil {
		return
	}
	sa.peer.authentic.Add(1)
	if payload == nil {
		sa.peer.rx.add(1, 200)
		v.reception.note(time.Now())
	}
	by := origin{from: from, local: local, bytes: 200, newest: true}
	if to := sa.peer.session.Load(); payload == nil && (to == nil || !to.path.Matches(from, local)) {
		v.events.elsewhere(sa.peer, by)
	}
	if sa.used.CompareAndSwap(false, true) {
		v.events.firstUse(sa)
	}
	if payload != nil {
		v.events.message(sa, payload, false, by)
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
		if to.sa.sizes.Record(numbers.Next(), 200, to.path.number, true) {
			v.events.dataFlows(v.peer)
		}
	}
	v.passOn(to, nil)
}

func (v *virtual) plain(datagram []byte, to *udp.Destination) error {
	if n := v.wire.handshakes.Add(1); v.mute.Load() || v.wire.loses != nil && v.wire.loses(n) {
		return nil
	}
	at := to.Remote()
	if from, ok := v.from(to, to.Local()); ok {
		v.wire.later(from, at, func(far *virtual) {
			far.events.handshake(datagram[esp.MarkerSize:], origin{from: from, local: at.Addr()})
		})
	}
	return nil
}

func (v *virtual) keepalive(*udp.Destination) error { v.wire.keepalives.Add(1); return nil }
func (v *virtual) flush() error                     { return nil }

func newWire() *wire {
	return &wire{trip: 10 * time.Millisecond, mtu: 1500, ends: make(map[netip.AddrPort]*virtual)}
}

// newVirtualPair makes two ends that know each other; the left one calls. Their PLPMTU is
// configured: a discovery would also wait for packets.
func newVirtualPair(t *testing.T, tunnel conf.Tunnel, keepalive time.Duration) (left, right *virtual) {
	t.Helper()
	return newVirtualEnds(t, tunnel, conf.Peer{Keepalive: keepalive, PLPMTU: 1400})
}

// newDiscoveringPair is newVirtualPair with a discovery at each end.
func newDiscoveringPair(t *testing.T, tunnel conf.Tunnel) (left, right *virtual) {
	t.Helper()
	return newVirtualEnds(t, tunnel, conf.Peer{MinPLPMTU: 576})
}

// newEnds makes the keys of two ends; peer is how each knows the other, but for its name
// and its key.
func newEnds(t *testing.T, peer conf.Peer) (keys [2]crypto.PrivateKey, peers [2]conf.Peer) {
	t.Helper()
	for i := range keys {
		var err error
		if keys[i], err = crypto.GeneratePrivateKey(rand.Reader); err != nil {
			t.Fatal(err)
		}
		public, err := keys[i].Public()
		if err != nil {
			t.Fatal(err)
		}
		peers[i] = peer
		peers[i].Name, peers[i].PublicKey = fmt.Sprint(i), conf.Key(public)
	}
	return keys, peers
}

// newVirtualEnds makes the two ends; peer is how each knows the other. Keepalives are the
// left one's.
func newVirtualEnds(t *testing.T, tunnel conf.Tunnel, peer conf.Peer) (left, right *virtual) {
	t.Helper()
	keys, peers := newEnds(t, peer)
	peers[1].Endpoints = []conf.Endpoint{{Host: "192.0.2.2", Port: 4500}}
	peers[0].Keepalive = 0
	w := newWire()
	left = w.newVirtual(t, "192.0.2.1:4500", keys[0], tunnel, peers[1])
	right = w.newVirtual(t, "192.0.2.2:4500", keys[1], tunnel, peers[0])
	return left, right
}

// virtualPair runs two ends that are established; the left one has called.
func virtualPair(t *testing.T, tunnel conf.Tunnel, keepalive time.Duration) (left, right *virtual) {
	t.Helper()
	left, right = newVirtualPair(t, tunnel, keepalive)
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
