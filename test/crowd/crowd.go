//go:build linux

package crowd

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"fathom/crypto"
	"fathom/esp"
	"fathom/test/clock"
	"fathom/test/gateway"
	"fathom/test/netlab"
)

// Outer is the network that the peers' outer addresses are from. The hub needs a
// route to it.
var Outer = netip.MustParsePrefix("10.128.0.0/16")

// Inner is the network that the peers' addresses inside the tunnel are from; its
// first address is free for the hub.
var Inner = netip.MustParsePrefix("10.77.0.0/16")

// MaxPeers is how many peers the networks have room for.
const MaxPeers = 65000

// Crowd is a number of simulated peers of one hub on one host.
type Crowd struct {
	host  *netlab.Host
	peers []*peer
	byAt  map[netip.Addr]*peer
	up    atomic.Int64 // peers that are up

	echoes struct{ sent, answered atomic.Uint64 } // inside the tunnel

	// Of Join.
	public crypto.PublicKey // the hub's
	hub    netip.AddrPort
	conn   *net.UDPConn   // nil before Join, and after Close
	behind atomic.Bool    // datagrams of the hub wait
	closed chan struct{}  // by Close
	loops  sync.WaitGroup // receive and attend

	mu      sync.Mutex // guards the state of the peers, and
	scratch esp.Scratch
	ahead   time.Duration // the peers' wall clock is wrong by that
}

// New makes peers with keys and gives the host their outer addresses.
func New(host *netlab.Host, peers int) (*Crowd, error) {
	if peers < 1 || peers > MaxPeers {
		return nil, fmt.Errorf("crowd of %d peers: from 1 to %d are possible", peers, MaxPeers)
	}
	c := &Crowd{host: host, byAt: make(map[netip.Addr]*peer, peers)}
	for n := range peers {
		p, err := newPeer(c, nth(Outer, n), nth(Inner, n))
		if err != nil {
			return nil, err
		}
		c.peers = append(c.peers, p)
		c.byAt[p.at] = p
	}
	return c, host.Do(func() error {
		lo, err := netlink.LinkByName("lo")
		if err != nil {
			return err
		}
		// A local route gives the host all addresses of the network at once.
		return netlink.RouteReplace(&netlink.Route{
			Type: unix.RTN_LOCAL, Table: unix.RT_TABLE_LOCAL, Scope: netlink.SCOPE_HOST, LinkIndex: lo.Attrs().Index,
			Dst: &net.IPNet{IP: Outer.Addr().AsSlice(), Mask: net.CIDRMask(Outer.Bits(), 32)},
		})
	})
}

// nth returns an address of a network for peer n.
func nth(network netip.Prefix, n int) netip.Addr {
	const first = 256 // the addresses below are for others
	b := network.Addr().As4()
	binary.BigEndian.PutUint32(b[:], binary.BigEndian.Uint32(b[:])+first+uint32(n))
	return netip.AddrFrom4(b)
}

// Endpoints returns where the peers are, in the order of Peers.
func (c *Crowd) Endpoints() []string {
	list := make([]string, len(c.peers))
	for n, p := range c.peers {
		list[n] = netip.AddrPortFrom(p.at, gateway.Port).String()
	}
	return list
}

// SetClock sets the wall clock of the peers ahead of the true time, in whole
// seconds; less than 0 is behind.
func (c *Crowd) SetClock(ahead time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ahead = ahead
}

// now returns the time as the peers see it. The lock must be held.
func (c *Crowd) now() time.Time { return clock.Set(time.Now(), c.ahead) }

// Peers are the [[peer]] tables of the hub's configuration.
func (c *Crowd) Peers() []gateway.Peer {
	list := make([]gateway.Peer, len(c.peers))
	for n, p := range c.peers {
		list[n].Gateway = &gateway.Gateway{Name: fmt.Sprintf("peer%d", n), Public: p.public, Inner: []netip.Prefix{netip.PrefixFrom(p.inner, 32)}}
	}
	return list
}

// Join lets the peers call the hub that has the given key, at its outer address.
func (c *Crowd) Join(public crypto.PublicKey, hub netip.AddrPort) error {
	c.mu.Lock()
	for _, p := range c.peers {
		p.calls.want(c.now())
	}
	c.mu.Unlock()
	return c.Answer(public, hub)
}

// Answer is Join for peers that wait until the hub calls.
func (c *Crowd) Answer(public crypto.PublicKey, hub netip.AddrPort) error {
	err := c.host.Do(func() (err error) {
		c.conn, err = listen()
		return err
	})
	if err != nil {
		return fmt.Errorf("socket of the peers: %w", err)
	}
	c.public, c.hub, c.closed = public, hub, make(chan struct{})
	c.loops.Go(c.receive)
	c.loops.Go(c.attend)
	return nil
}

// listen opens the socket of all peers, whose datagrams carry DF and tell where
// they arrived.
func listen() (*net.UDPConn, error) {
	config := net.ListenConfig{Control: func(_, _ string, raw syscall.RawConn) (err error) {
		controlled := raw.Control(func(fd uintptr) {
			enlarge(int(fd), unix.SO_RCVBUFFORCE, unix.SO_RCVBUF)
			enlarge(int(fd), unix.SO_SNDBUFFORCE, unix.SO_SNDBUF)
			err = errors.Join(
				unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_PKTINFO, 1),
				unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_MTU_DISCOVER, unix.IP_PMTUDISC_PROBE),
			)
		})
		return errors.Join(controlled, err)
	}}
	conn, err := config.ListenPacket(context.Background(), "udp4", fmt.Sprintf(":%d", gateway.Port))
	if err != nil {
		return nil, err
	}
	return conn.(*net.UDPConn), nil
}

// enlarge makes a buffer of the socket hold a burst of thousands of peers, as far
// as this process may: only root of the machine may exceed its limit.
func enlarge(fd, force, ask int) {
	const size = 32 << 20
	if unix.SetsockoptInt(fd, unix.SOL_SOCKET, force, size) != nil {
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, ask, size)
	}
}

// Close ends the peers without a word to the hub. They may join again; of what was
// before they only know which of the hub's initiations they have accepted.
func (c *Crowd) Close() {
	if c.conn != nil {
		close(c.closed)
		c.conn.Close()
		c.loops.Wait()
		c.conn = nil
		for _, p := range c.peers {
			p.forget()
		}
		c.up.Store(0)
	}
}

// Begin lets the peers from the given one on begin anew and call the hub, all at once, as
// after a power cut.
func (c *Crowd) Begin(from int) {
	for _, p := range c.peers[from:] {
		c.mu.Lock()
		if p.up() {
			c.up.Add(-1)
		}
		p.forget()
		p.calls.want(c.now())
		c.mu.Unlock()
	}
}

// Up returns how many peers are up: they have an SA pair, and the hub has
// answered on it.
func (c *Crowd) Up() int { return int(c.up.Load()) }

// HubEnded has every peer know that the hub has ended. It has told them, but what it tells
// may be lost: real peers find out by its silence then.
func (c *Crowd) HubEnded() {
	for _, p := range c.peers {
		c.mu.Lock()
		if p.current != nil {
			p.close(c.now())
		}
		c.mu.Unlock()
	}
}

// Await waits until every peer is up.
func (c *Crowd) Await(ctx context.Context) error { return c.await(ctx, len(c.peers)) }

// AwaitDown waits until no peer is: the hub has told them that it ends.
func (c *Crowd) AwaitDown(ctx context.Context) error { return c.await(ctx, 0) }

func (c *Crowd) await(ctx context.Context, up int) error {
	for c.Up() != up {
		select {
		case <-ctx.Done():
			return fmt.Errorf("%d of %d peers are up: %w", c.Up(), len(c.peers), context.Cause(ctx))
		case <-time.After(time.Millisecond):
		}
	}
	return nil
}

const (
	// tick is how often the peers are looked at.
	tick = 10 * time.Millisecond
	// callPause is how long a call waits for the datagrams to be taken, before it is looked
	// again.
	callPause = 100 * time.Microsecond
	// attendedAtOnce is how many peers are looked at while the hub's datagrams wait.
	attendedAtOnce = 64
)

// receive takes datagrams until Close.
func (c *Crowd) receive() {
	raw, err := c.conn.SyscallConn()
	if err != nil {
		return // closed
	}
	datagram, oob := make([]byte, 1<<16), make([]byte, 128)
	for {
		var n, oobn int
		var failed error
		closed := raw.Read(func(fd uintptr) bool {
			n, oobn, _, _, failed = unix.Recvmsg(int(fd), datagram, oob, unix.MSG_DONTWAIT)
			c.behind.Store(failed != unix.EAGAIN)
			return failed != unix.EAGAIN
		})
		if closed != nil {
			return
		}
		if p := c.byAt[arrivedAt(oob[:oobn])]; p != nil && failed == nil {
			c.mu.Lock()
			p.datagram(datagram[:n], c.now())
			c.mu.Unlock()
		}
	}
}

// attend attends to the peers every tick, until Close.
func (c *Crowd) attend() {
	for {
		select {
		case <-c.closed:
			return
		case <-time.After(tick):
		}
		patience := tick
		for rest := c.peers; len(rest) > 0; {
			done, waits := c.attendSome(rest[:min(len(rest), attendedAtOnce)])
			switch rest = rest[done:]; {
			case waits && patience > 0:
				time.Sleep(callPause)
				patience -= callPause
			case waits:
				rest = rest[1:]
			}
		}
	}
}

// attendSome attends to some peers, until the call of one has to wait. It returns how many
// are done.
func (c *Crowd) attendSome(peers []*peer) (done int, waits bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	for done, p := range peers {
		called := p.calls.attempts
		if p.attendDue(now) {
			return done, true
		}
		if p.calls.attempts != called {
			return done + 1, false // answers are taken before the next one calls
		}
	}
	return len(peers), false
}

// arrivedAt returns the address that a datagram was sent to.
func arrivedAt(oob []byte) netip.Addr {
	header, info, _, err := unix.ParseOneSocketControlMessage(oob)
	if err != nil || header.Type != unix.IP_PKTINFO || len(info) < unix.SizeofInet4Pktinfo {
		return netip.Addr{}
	}
	return netip.AddrFrom4([4]byte(info[8:12])) // struct in_pktinfo: ipi_addr
}

// random64 draws a token, which is not zero.
func random64() uint64 {
	var b [8]byte
	rand.Read(b[:])
	return binary.BigEndian.Uint64(b[:]) | 1
}
