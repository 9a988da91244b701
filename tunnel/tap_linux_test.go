package tunnel

import (
	"bytes"
	"crypto/rand"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"fathom/esp"
)

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
	e.config.Peers[0].Endpoints[0].Port = uint16(p.conn.LocalAddr().(*net.UDPAddr).Port)
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
			if at == len(datagram)-1 && esp.Classify(datagram) == esp.KindHandshake {
				at -= 16 // into mac1: mac2 counts under load only, and a recording is answered by a challenge
			}
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
	eventually(t, "established after three lost messages", hanging, func() bool { return left.established() && right.established() })
}
