package tunnel

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"golang.zx2c4.com/wireguard/tun/tuntest"

	"fathom/conf"
	"fathom/crypto"
	"fathom/tunnel/host"
	"fathom/tunnel/status"
	"fathom/tunnel/tun"
	"fathom/tunnel/udp"
)

// The tests here run whole tunnels on real UDP sockets of the loopback
// interface; only the TUN device and the host's network are stand-ins, so no
// privilege is needed.

// testHost stands for the host's addresses and routes.
type testHost struct{ mtu int }

func (h testHost) Egress(host.Flow) (host.Egress, error)                    { return host.Egress{MTU: h.mtu}, nil }
func (testHost) Ways(netip.AddrPort, []string, []netip.AddrPort) []host.Way { return nil }
func (testHost) ReversePathDrops([]host.Way) []string                       { return nil }
func (testHost) Forget()                                                    {}
func (testHost) SetMTU(int) error                                           { return nil }
func (testHost) Route(host.Route) error                                     { return nil }
func (testHost) Guard(netip.Prefix) error                                   { return nil }
func (testHost) Withdraw(netip.Prefix) error                                { return nil }
func (testHost) Regroup() error                                             { return nil }
func (testHost) LargestMTU() (int, error)                                   { return 1500, nil }
func (testHost) Mark() uint32                                               { return 0 }
func (testHost) DefaultTable() int                                          { return 0 }
func (testHost) Condition(time.Time) host.Condition                         { return host.Condition{} }
func (testHost) Restore(time.Time) ([]host.Repair, time.Time) {
	return nil, time.Time{}
}

// end is one end of a test tunnel.
type end struct {
	t      *testing.T
	config conf.Config
	key    crypto.PrivateKey
	device *tuntest.ChannelTUN
	conn   *udp.Conn
	log    *logRecorder
	adjust func(*controller)

	tunnel *Tunnel
	ctl    *controller
	stop   context.CancelCauseFunc
	ended  chan error
}

// logRecorder is a slog.Handler that counts messages.
type logRecorder struct {
	slog.Handler
	mu   sync.Mutex
	seen map[string]int
}

func (l *logRecorder) Enabled(context.Context, slog.Level) bool { return true }
func (l *logRecorder) Handle(_ context.Context, r slog.Record) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.seen[r.Message]++
	l.seen[r.Level.String()+" "+r.Message]++
	return nil
}
func (l *logRecorder) WithAttrs([]slog.Attr) slog.Handler { return l }
func (l *logRecorder) WithGroup(string) slog.Handler      { return l }

func (l *logRecorder) count(message string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.seen[message]
}

// newEnd prepares an end that listens on a free port of 127.0.0.1.
func newEnd(t *testing.T) *end {
	t.Helper()
	key, err := crypto.GeneratePrivateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	e := &end{t: t, key: key, log: &logRecorder{seen: make(map[string]int)}}
	e.config.Tunnel = conf.Tunnel{
		Name:              "test",
		PrivateKey:        conf.SecretKey(key),
		Ciphers:           []string{"aes-256-gcm", "chacha20-poly1305"},
		RekeyAfter:        time.Minute,
		Oversize:          conf.OversizeCarry,
		RekeyAfterPackets: 1 << 30,
		StatusSocket:      filepath.Join(t.TempDir(), "status.sock"),
	}
	e.listen(0)
	return e
}

func (e *end) listen(port uint16) {
	e.t.Helper()
	var err error
	if e.conn, err = udp.Listen(netip.MustParseAddr("127.0.0.1"), port, udp.Config{DontFragment: true, Offload: true, Sockets: 2}); err != nil {
		e.t.Fatal(err)
	}
}

func (e *end) addr() netip.AddrPort {
	return e.conn.Addrs()[0]
}

func (e *end) public() crypto.PublicKey {
	public, err := e.key.Public()
	if err != nil {
		e.t.Fatal(err)
	}
	return public
}

// meet adds the other end as a peer with the given inner prefixes. With an
// endpoint this end calls.
func (e *end) meet(other *end, calls bool, prefixes ...string) *conf.Peer {
	p := conf.Peer{Name: "peer", PublicKey: conf.Key(other.public())}
	for _, prefix := range prefixes {
		p.AllowedIPs = append(p.AllowedIPs, netip.MustParsePrefix(prefix))
	}
	if calls {
		p.Endpoints = []conf.Endpoint{{Host: "127.0.0.1", Port: other.addr().Port()}}
	}
	e.config.Peers = append(e.config.Peers, p)
	return &e.config.Peers[len(e.config.Peers)-1]
}

// start runs the end until the test ends or shutdown is called.
func (e *end) start() {
	e.t.Helper()
	if e.conn == nil {
		e.t.Fatal("listen first")
	}
	var err error
	if e.tunnel, err = New(&e.config, Options{Logger: slog.New(e.log)}); err != nil {
		e.t.Fatal(err)
	}
	listener, err := status.Listen(e.config.Tunnel.StatusSocket)
	if err != nil {
		e.t.Fatal(err)
	}
	e.device = tuntest.NewChannelTUN()
	device := tun.Wrap(e.device.TUN())
	shared, err := e.tunnel.newShared()
	if err != nil {
		e.t.Fatal(err)
	}
	sender := newSender(controllerPlace, e.conn, shared.events)
	forwarder := newForwarder(sender, policyOf(e.config.Tunnel), device.NewWriter())
	e.ctl = e.tunnel.newController(shared, testHost{1500}, e.conn.Addrs()[0].Port(), nil, sender, newSender(controllerPlace, e.conn, shared.events), forwarder)
	if e.adjust != nil {
		e.adjust(e.ctl)
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	ended := make(chan error, 1)
	e.stop, e.ended = cancel, ended
	conn, ctl, tunnel := e.conn, e.ctl, e.tunnel
	go func() { ended <- tunnel.carry(ctx, ctl, device, conn, listener) }()
	e.t.Cleanup(func() { e.shutdown(nil) })
}

// errCrash ends a tunnel without a word to its peers.
var errCrash = errors.New("crash")

// shutdown stops the end and waits for it.
func (e *end) shutdown(cause error) {
	if e.ended == nil {
		return
	}
	if errors.Is(cause, errCrash) {
		e.conn.Close()
	}
	// A goroutine that still writes to the device must not wait for a reader.
	go func(device *tuntest.ChannelTUN) {
		for range device.Inbound {
		}
	}(e.device)
	e.stop(nil)
	select {
	case <-e.ended:
	case <-time.After(hanging):
		e.t.Error("the tunnel does not end")
	}
	e.ended, e.conn = nil, nil
}

func (e *end) status() *status.Status {
	e.t.Helper()
	s, err := status.Fetch(context.Background(), e.config.Tunnel.StatusSocket)
	if err != nil {
		e.t.Fatal(err)
	}
	return s
}

// hanging is longer than anything takes on the slowest machine.
const hanging = time.Minute

// eventually waits for a condition.
func eventually(t *testing.T, what string, atMost time.Duration, condition func() bool) {
	t.Helper()
	for end := time.Now().Add(atMost); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if condition() {
			return
		}
	}
	t.Fatalf("not within %v: %s", atMost, what)
}

func (e *end) established() bool { return e.status().Up() }

// send hands a packet to the end's device, as the host does.
func (e *end) send(packet []byte) {
	e.t.Helper()
	select {
	case e.device.Outbound <- packet:
	case <-time.After(hanging):
		e.t.Fatal("the device is not read")
	}
}

// receives waits for a packet out of the end's device.
func (e *end) receives(want []byte) {
	e.t.Helper()
	select {
	case got := <-e.device.Inbound:
		if !bytes.Equal(got, want) {
			e.t.Fatalf("received %x, want %x", got, want)
		}
	case <-time.After(hanging):
		e.t.Fatal("nothing received")
	}
}

// receivesNothing checks that no packet comes out of the end's device.
func (e *end) receivesNothing() {
	e.t.Helper()
	select {
	case got := <-e.device.Inbound:
		e.t.Fatalf("received %x", got)
	case <-time.After(200 * time.Millisecond):
	}
}

// Inner addresses of the tests' two ends.
const (
	leftIP, rightIP   = "10.0.0.1", "10.0.0.2"
	leftIP6, rightIP6 = "fd00::1", "fd00::2"
)

// newPair prepares two ends that know each other; left calls.
func newPair(t *testing.T) (left, right *end) {
	left, right = newEnd(t), newEnd(t)
	left.meet(right, true, rightIP+"/32", rightIP6+"/128")
	right.meet(left, false, leftIP+"/32", leftIP6+"/128")
	return left, right
}

func startPair(t *testing.T) (left, right *end) {
	left, right = newPair(t)
	right.start()
	left.start()
	known := func(e *end) bool { return e.established() && e.status().Peers[0].PMTUD.State == "search_complete" }
	eventually(t, "both ends established, with their paths known", hanging, func() bool { return known(left) && known(right) })
	return left, right
}

func TestPacketsCrossBothWays(t *testing.T) {
	left, right := startPair(t)
	for _, size := range []int{20, 21, 22, 23, 100, 1400, 1437, 1438} {
		packet := ipv4Packet(leftIP, rightIP, size)
		left.send(packet)
		right.receives(packet)
		packet = ipv4Packet(rightIP, leftIP, size)
		right.send(packet)
		left.receives(packet)
	}
	packet := ipv6Packet(leftIP6, rightIP6, 1438)
	left.send(packet)
	right.receives(packet)

	// A packet is counted after it was written to the device.
	eventually(t, "the last packet to be counted", hanging, func() bool { return left.status().Peers[0].RxPackets >= 8 })
	eventually(t, "the path to be known", hanging, func() bool { return left.status().Peers[0].PMTUD.PLPMTU == 1500 })
	s := left.status().Peers[0]
	if s.TxPackets != 9 || s.RxPackets != 8 || s.PMTUD.PLPMTU != 1500 || s.PMTUD.InnerMTU != 1438 || s.Cipher != "aes-256-gcm" {
		t.Errorf("status %+v", s)
	}
}

// TestAnotherProgramHasThePortOfTheMetrics: the tunnel carries packets without them, and
// serves them when the port is free.
func TestAnotherProgramHasThePortOfTheMetrics(t *testing.T) {
	t.Parallel()
	other, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	left, right := newPair(t)
	left.config.Tunnel.MetricsAddr = netip.MustParseAddrPort(other.Addr().String())
	right.start()
	left.start()
	packet := ipv4Packet(leftIP, rightIP, 100)
	left.send(packet)
	right.receives(packet)
	other.Close()
	eventually(t, "the metrics to be served", hanging, func() bool {
		r, err := http.Get("http://" + left.config.Tunnel.MetricsAddr.String() + "/metrics")
		if err != nil {
			return false
		}
		r.Body.Close()
		return r.StatusCode == http.StatusOK
	})
}

func TestThePacketThatCameTooEarlyIsNotLost(t *testing.T) {
	left, right := newPair(t)
	left.start()
	packet := ipv4Packet(leftIP, rightIP, 100)
	left.send(packet)
	right.start()
	right.receives(packet)
}

func TestPacketsThatGoNowhereAreCounted(t *testing.T) {
	left, right := newPair(t)
	left.config.Tunnel.Oversize = conf.OversizeDrop
	right.start()
	left.start()
	eventually(t, "the inner MTU", hanging, func() bool { return left.established() && left.status().Peers[0].PMTUD.InnerMTU == 1438 })
	cases := []struct {
		reason string
		packet []byte
		counts func() map[string]uint64
	}{
		{"too_large", ipv4Packet(leftIP, rightIP, 1439), func() map[string]uint64 { return left.status().Peers[0].Dropped }},
		{"no_route", ipv4Packet(leftIP, "10.9.9.9", 100), func() map[string]uint64 { return left.status().Dropped }},
		{"not_ip", []byte("not a packet"), func() map[string]uint64 { return left.status().Dropped }},
		{"source_address", ipv4Packet("10.0.0.77", rightIP, 100), func() map[string]uint64 { return right.status().Peers[0].Dropped }},
	}
	for _, c := range cases {
		t.Run(c.reason, func(t *testing.T) {
			left.send(c.packet)
			eventually(t, c.reason, hanging, func() bool { return c.counts()[c.reason] == 1 })
			right.receivesNothing()
		})
	}
}

func TestPeersAreFoundByTheLongestPrefix(t *testing.T) {
	hub, near, far := newEnd(t), newEnd(t), newEnd(t)
	hub.meet(near, true, "10.1.0.0/16").Name = "near"
	hub.meet(far, true, "10.1.2.0/24").Name = "far"
	near.meet(hub, false, "0.0.0.0/0")
	far.meet(hub, false, "0.0.0.0/0")
	for _, e := range []*end{near, far, hub} {
		e.start()
	}
	eventually(t, "hub established", hanging, hub.established)
	packet := ipv4Packet("10.0.0.1", "10.1.1.1", 60)
	hub.send(packet)
	near.receives(packet)
	packet = ipv4Packet("10.0.0.1", "10.1.2.1", 60)
	hub.send(packet)
	far.receives(packet)

	// A source that belongs to the other peer is refused.
	near.send(ipv4Packet("10.1.2.9", "10.0.0.1", 60))
	hub.receivesNothing()
	far.send(ipv4Packet("10.1.1.9", "10.0.0.1", 60))
	hub.receivesNothing()
}

// sealTo sends an inner packet on an SA from other sockets than the tunnel's.
func sealTo(from *udp.Conn, p *peer, sa *outboundSA, to netip.AddrPort, packet []byte) error {
	s := newSender(transmitterPlace(0, 1), from, noSendEvents{})
	if err := s.seal(&session{p, sa, newPath(to, netip.Addr{})}, packet, 4, 0); err != nil {
		return err
	}
	return s.flush()
}

// noSendEvents ignores a sender's events.
type noSendEvents struct{}

func (noSendEvents) dataFlows(*peer)                      {}
func (noSendEvents) tooBig(*session, int)                 {}
func (noSendEvents) icmp(udp.ICMP)                        {}
func (noSendEvents) noSegmentation(netip.AddrPort, error) {}

// TestACopyFromElsewhereMovesNothing: a packet of the peer's that somebody else sends
// arrives, but is no proof of where the peer is.
func TestACopyFromElsewhereMovesNothing(t *testing.T) {
	left, right := startPair(t)
	before := right.log.count("endpoint")
	elsewhere, err := udp.Listen(netip.MustParseAddr("127.0.0.1"), 0, udp.Config{DontFragment: true, Offload: true, Sockets: 2})
	if err != nil {
		t.Fatal(err)
	}
	defer elsewhere.Close()
	was := left.tunnel.peers[0].session.Load()
	packet := ipv4Packet(leftIP, rightIP, 100)
	for range 20 {
		if err := sealTo(elsewhere, was.peer, was.sa, was.path.Remote(), packet); err != nil {
			t.Fatal(err)
		}
		right.receives(packet)
		left.send(packet)
		right.receives(packet)
	}
	if n := right.log.count("endpoint") - before; n > 0 {
		t.Errorf("%d moves", n)
	}
}

func TestBothCiphers(t *testing.T) {
	for _, cipher := range []string{"aes-256-gcm", "chacha20-poly1305"} {
		t.Run(cipher, func(t *testing.T) {
			left, right := newPair(t)
			left.config.Tunnel.Ciphers = []string{cipher}
			right.start()
			left.start()
			eventually(t, "established", hanging, left.established)
			if got := left.status().Peers[0].Cipher; got != cipher {
				t.Errorf("cipher %s", got)
			}
			packet := ipv4Packet(leftIP, rightIP, 1000)
			left.send(packet)
			right.receives(packet)
		})
	}
}
