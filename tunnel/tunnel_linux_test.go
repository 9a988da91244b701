package tunnel

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"golang.zx2c4.com/wireguard/tun/tuntest"

	"fathom/conf"
	"fathom/crypto"
	"fathom/test/tier"
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

func (h testHost) EgressMTU(netip.Addr) (int, error) { return h.mtu, nil }
func (testHost) SetMTU(int) error                    { return nil }
func (testHost) Route(host.Route) error              { return nil }
func (testHost) Condition(time.Time) host.Condition  { return host.Condition{} }
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
		p.Endpoint = conf.Endpoint{Host: "127.0.0.1", Port: other.addr().Port()}
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
	if e.ctl, err = e.tunnel.newController(testHost{1500}, nil, e.tunnel.sending(e.conn, device)); err != nil {
		e.t.Fatal(err)
	}
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

	s := left.status().Peers[0]
	if s.TxPackets != 9 || s.RxPackets != 8 || s.PMTUD.PLPMTU != 1500 || s.PMTUD.InnerMTU != 1438 || s.Cipher != "aes-256-gcm" {
		t.Errorf("status %+v", s)
	}
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

func TestRekeyLosesNoPacket(t *testing.T) {
	tier.Select(t)
	const rekeys = 20
	left, right := newPair(t)
	// Each handshake is due at the next look; the packets flow on meanwhile.
	left.config.Tunnel.RekeyAfterPackets = 50
	right.config.Tunnel.RekeyAfterPackets = 50
	right.start()
	left.start()
	eventually(t, "established", hanging, func() bool { return left.established() && right.established() })

	stream := func(from, to *end, source, destination string, stop <-chan struct{}) (sent, received, late uint64) {
		done := make(chan struct{})
		var highest uint64
		total := make(chan uint64, 1)
		go func() {
			defer close(done)
			want := uint64(1 << 62)
			for received < want {
				select {
				case p := <-to.device.Inbound:
					received++
					if n := binary.BigEndian.Uint64(p[20:]); n < highest {
						late++
					} else {
						highest = n
					}
				case want = <-total:
				case <-time.After(hanging):
					return
				}
			}
		}()
		for {
			select {
			case <-stop:
				total <- sent
				<-done
				return sent, received, late
			default:
			}
			packet := ipv4Packet(source, destination, 64)
			binary.BigEndian.PutUint64(packet[20:], sent)
			from.device.Outbound <- packet
			sent++
			if sent%8 == 0 {
				time.Sleep(time.Millisecond)
			}
		}
	}
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for _, way := range []struct {
		from, to            *end
		source, destination string
	}{{left, right, leftIP, rightIP}, {right, left, rightIP, leftIP}} {
		wg.Go(func() {
			sent, received, late := stream(way.from, way.to, way.source, way.destination, stop)
			t.Logf("%s to %s: %d packets sent, %d received, %d late", way.source, way.destination, sent, received, late)
			if received != sent || sent == 0 {
				t.Errorf("%d of %d packets received", received, sent)
			}
			if late > 0 {
				t.Errorf("%d packets were overtaken", late)
			}
		})
	}
	eventually(t, "rekeys", time.Minute, func() bool {
		return left.status().Peers[0].Handshakes > rekeys && right.status().Peers[0].Handshakes > rekeys
	})
	close(stop)
	wg.Wait()
	for _, e := range []*end{left, right} {
		s := e.status()
		t.Logf("%d rekeys, dropped %v, peer's %v", s.Peers[0].Handshakes-1, s.Dropped, s.Peers[0].Dropped)
		if s.Dropped["unknown_spi"]+s.Peers[0].Dropped["replay"] > 0 {
			t.Error("packets were dropped")
		}
	}
}

func TestBothInitiatingAtOnceAgreeOnOnePair(t *testing.T) {
	for range 10 {
		left, right := newEnd(t), newEnd(t)
		left.meet(right, true, rightIP+"/32")
		right.meet(left, true, leftIP+"/32")
		left.start()
		right.start()
		eventually(t, "both ends established", hanging, func() bool { return left.established() && right.established() })
		agree := func() bool {
			l, r := left.status().Peers[0], right.status().Peers[0]
			return l.SendSPI == r.ReceiveSPI && l.ReceiveSPI == r.SendSPI
		}
		eventually(t, "both ends use the same pair", hanging, agree)
		packet := ipv4Packet(leftIP, rightIP, 100)
		left.send(packet)
		right.receives(packet)
		left.shutdown(nil)
		right.shutdown(nil)
	}
}

func TestARestartedPeerIsBackWithinSeconds(t *testing.T) {
	for _, crash := range []bool{false, true} {
		for _, who := range []string{"the end that calls", "the end that is called"} {
			name := who + " is stopped"
			if crash {
				name = who + " crashes"
			}
			t.Run(name, func(t *testing.T) {
				left, right := startPair(t)
				restarted, other := left, right
				if who == "the end that is called" {
					restarted, other = right, left
				}
				port := restarted.addr().Port()
				var cause error
				if crash {
					cause = errCrash
				}
				restarted.shutdown(cause)
				restarted.listen(port)
				restarted.start()
				back := time.Now()
				eventually(t, "established again", 4*time.Second, func() bool { return restarted.established() && other.established() })
				t.Logf("back after %v", time.Since(back).Round(time.Millisecond))
				packet := ipv4Packet(leftIP, rightIP, 100)
				left.send(packet)
				right.receives(packet)
			})
		}
	}
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
func (noSendEvents) tooBig(*peer, int)                    {}
func (noSendEvents) ptb(udp.PTB)                          {}
func (noSendEvents) noSegmentation(netip.AddrPort, error) {}

func TestAPeerThatMovesIsFollowed(t *testing.T) {
	left, right := startPair(t)
	before := right.log.count("endpoint")
	// The left end's packets come from another port from now on, as after a
	// NAT has forgotten it.
	moved, err := udp.Listen(netip.MustParseAddr("127.0.0.1"), 0, udp.Config{DontFragment: true, Offload: true, Sockets: 2})
	if err != nil {
		t.Fatal(err)
	}
	defer moved.Close()
	was := left.tunnel.peers[0].session.Load()
	packet := ipv4Packet(leftIP, rightIP, 100)
	if err := sealTo(moved, was.peer, was.sa, was.path.Remote(), packet); err != nil {
		t.Fatal(err)
	}
	right.receives(packet)
	// The log tells, not the status: the left end's own packets, from where it
	// still is, may move it back at any time.
	eventually(t, "the new endpoint", hanging, func() bool { return right.log.count("endpoint") > before })
}

// TestAMoveIsProvedThoughAnEchoIsLost: until the peer has shown that it receives
// at its new place, nothing is probed.
func TestAMoveIsProvedThoughAnEchoIsLost(t *testing.T) {
	left, _ := startPair(t)
	p := left.tunnel.peers[0]
	ask := func(f func(now time.Time)) {
		t.Helper()
		done := make(chan struct{})
		left.ctl.events.post(func(_ *controller, now time.Time) { f(now); close(done) })
		select {
		case <-done:
		case <-time.After(5 * time.Second):
			t.Fatal("the controller does not answer")
		}
	}
	ask(func(now time.Time) {
		p.validated, p.echo = false, pendingEcho{token: 1, sent: now} // whose reply will not come
	})
	eventually(t, "the place proved", 5*time.Second, func() (validated bool) {
		ask(func(time.Time) { validated = p.validated })
		return validated
	})
}

func TestOneSidedHandshakes(t *testing.T) {
	tests := []struct {
		name    string
		spoil   func(left, right *end)
		warning func(left, right *end) bool
	}{
		{"a wrong preshared key", func(left, right *end) {
			left.config.Peers[0].PresharedKey = conf.SecretKey{1}
			right.config.Peers[0].PresharedKey = conf.SecretKey{2}
		}, func(left, _ *end) bool { return left.log.count("peer's answer is not authentic") > 0 }},
		{"a preshared key on one side alone", func(left, _ *end) {
			left.config.Peers[0].PresharedKey = conf.SecretKey{1}
		}, func(left, _ *end) bool { return left.log.count("peer's answer is not authentic") > 0 }},
		{"a caller that is unknown", func(_, right *end) {
			right.config.Peers[0].PublicKey[0] ^= 1
		}, func(_, right *end) bool { return right.log.count("handshake from a stranger") > 0 }},
		{"a wrong key of the one who is called", func(left, right *end) {
			left.config.Peers[0].PublicKey = conf.Key(newEnd(right.t).public())
		}, func(_, right *end) bool { return right.status().Dropped["handshake"] > 0 }},
		{"no cipher in common", func(left, right *end) {
			left.config.Tunnel.Ciphers = []string{"aes-256-gcm"}
			right.config.Tunnel.Ciphers = []string{"chacha20-poly1305"}
		}, func(_, right *end) bool { return right.log.count("no cipher in common") > 0 }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			left, right := newPair(t)
			tt.spoil(left, right)
			right.start()
			left.start()
			eventually(t, "the warning", 3*time.Second, func() bool { return tt.warning(left, right) })
			if left.established() || right.established() {
				t.Error("established")
			}
		})
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

// tap passes datagrams on between two ends and keeps copies of those to one
// of them.
type tap struct {
	conn *net.UDPConn
	mu   sync.Mutex
	seen [][]byte
	drop func(datagram []byte) bool
}

// newTap returns a relay: datagrams from "to" go to the last other sender.
func newTap(t *testing.T, to netip.AddrPort, drop func([]byte) bool) *tap {
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	p := &tap{conn: conn, drop: drop}
	go func() {
		var caller netip.AddrPort
		b := make([]byte, 1<<16)
		for {
			n, from, err := conn.ReadFromUDPAddrPort(b)
			if err != nil {
				return
			}
			if p.drop != nil && p.drop(b[:n]) {
				continue
			}
			if from == to {
				conn.WriteToUDPAddrPort(b[:n], caller)
				continue
			}
			caller = from
			p.mu.Lock()
			p.seen = append(p.seen, bytes.Clone(b[:n]))
			p.mu.Unlock()
			conn.WriteToUDPAddrPort(b[:n], to)
		}
	}()
	t.Cleanup(func() { conn.Close() })
	return p
}

func (p *tap) datagrams() [][]byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([][]byte(nil), p.seen...)
}

// through makes the first peer's endpoint the tap.
func (e *end) through(p *tap) {
	e.config.Peers[0].Endpoint.Port = uint16(p.conn.LocalAddr().(*net.UDPAddr).Port)
}

// startThroughTap starts a pair whose left end calls by way of a tap, and waits
// until both ends are established.
func startThroughTap(t *testing.T) (left, right *end, p *tap) {
	t.Helper()
	left, right = newPair(t)
	p = newTap(t, right.addr(), nil)
	left.through(p)
	right.start()
	left.start()
	eventually(t, "established", hanging, func() bool { return left.established() && right.established() })
	return left, right, p
}

func TestReplayedPacketsAreDropped(t *testing.T) {
	left, right, tap := startThroughTap(t)
	packet := ipv4Packet(leftIP, rightIP, 100)
	left.send(packet)
	right.receives(packet)

	sent := tap.datagrams()
	before := right.status()
	for _, datagram := range sent {
		tap.conn.WriteToUDPAddrPort(datagram, right.addr())
	}
	eventually(t, "the replays to be counted", hanging, func() bool {
		s := right.status()
		return s.Peers[0].Dropped["replay"] >= 2 && s.Dropped["handshake"] > before.Dropped["handshake"]
	})
	right.receivesNothing()
	after := right.status().Peers[0]
	if after.RxPackets != 1 || after.Handshakes != before.Peers[0].Handshakes || after.ReceiveSPI != before.Peers[0].ReceiveSPI {
		t.Errorf("replays had an effect: %+v", after)
	}
}

func TestStrangersGetNoAnswer(t *testing.T) {
	_, right, tap := startThroughTap(t)

	stranger, err := net.DialUDP("udp4", nil, net.UDPAddrFromAddrPort(right.addr()))
	if err != nil {
		t.Fatal(err)
	}
	defer stranger.Close()
	for _, datagram := range tap.datagrams() {
		// Everything that the true peer has sent, with one bit changed.
		for _, at := range []int{0, 4, 8, len(datagram) / 2, len(datagram) - 1} {
			changed := bytes.Clone(datagram)
			changed[min(at, len(changed)-1)] ^= 1
			stranger.Write(changed)
		}
		stranger.Write(datagram[:len(datagram)-1])
		stranger.Write(append(bytes.Clone(datagram), 0))
	}
	for size := range 200 {
		junk := make([]byte, size)
		rand.Read(junk)
		stranger.Write(junk)
		clear(junk[:min(4, size)])
		stranger.Write(junk)
	}
	stranger.SetReadDeadline(time.Now().Add(300 * time.Millisecond))
	if n, err := stranger.Read(make([]byte, 2000)); err == nil {
		t.Errorf("a stranger got an answer of %d bytes", n)
	}
	right.receivesNothing()
	if s := right.status(); s.Peers[0].Endpoint != tap.conn.LocalAddr().String() || !s.Up() {
		t.Errorf("strangers had an effect: %+v", s.Peers[0])
	}
}

func TestHandshakeSurvivesLoss(t *testing.T) {
	left, right := newPair(t)
	n := 0
	tap := newTap(t, right.addr(), func([]byte) bool { n++; return n <= 3 })
	left.through(tap)
	right.start()
	left.start()
	eventually(t, "established after three lost messages", 10*time.Second, func() bool { return left.established() && right.established() })
}

func TestUnderLoadAnInitiationNeedsACookie(t *testing.T) {
	left, right := newPair(t)
	right.adjust = func(c *controller) {
		c.handshaker.load.second, c.handshaker.load.count = time.Now().Add(time.Hour), maxInitiations // forever too many
	}
	right.start()
	left.start()
	eventually(t, "established by cookie", hanging, func() bool { return left.established() && right.established() })
	if left.tunnel.peers[0].handshakes != 1 {
		t.Errorf("%d handshakes", left.tunnel.peers[0].handshakes)
	}
}

func TestAPeerThatSaysGoodbyeIsGoneAtOnce(t *testing.T) {
	left, right := startPair(t)
	left.shutdown(nil)
	eventually(t, "the right end to notice", deadAfter, func() bool { return !right.established() })
}
