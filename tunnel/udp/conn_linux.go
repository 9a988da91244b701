package udp

import (
	"errors"
	"math"
	"net"
	"net/netip"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// A Conn is a UDP port: for each address family that the host has the same number
// of sockets. The kernel gives all datagrams from one place, and ICMP about what
// went there, to the same socket, so that nothing is reordered.
type Conn struct {
	host      netip.Addr // to listen on; invalid: all addresses
	config    Config
	sockets   atomic.Pointer[sockets]
	opened    time.Time
	noOutlets error // why there are fewer outlets than asked for
}

// sockets are those of one port.
type sockets struct {
	v4, v6     []*socket // empty where the host lacks the family or it was not asked for
	out4, out6 *outlets  // by which data leaves; nil where there is no socket
}

// Listen binds host (all addresses if it is invalid) and port, 0 for any. The error
// is EADDRINUSE if another process uses the port, and says which if that is to be
// seen. An address that the host does not have yet is no error: see Absent.
func Listen(host netip.Addr, port uint16, cfg Config) (*Conn, error) {
	c := &Conn{host: host, config: cfg.withDefaults(), opened: time.Now()}
	if err := c.listen(port); err != nil {
		return nil, err
	}
	return c, nil
}

// listen opens the sockets.
func (c *Conn) listen(port uint16) (err error) {
	host, cfg, s := c.host, c.config, new(sockets)
	c.sockets.Store(s)
	defer func() {
		if err != nil {
			c.Close()
		}
	}()
	if !host.Is6() {
		addr := host
		if !addr.IsValid() {
			addr = netip.IPv4Unspecified()
		}
		if s.v4, err = listenFamily("udp4", addr, port, cfg); err != nil {
			return err
		}
		port = s.v4[0].addr().Port()
	}
	if !host.Is4() {
		addr := host
		if !addr.IsValid() {
			addr = netip.IPv6Unspecified()
		}
		s.v6, err = listenFamily("udp6", addr, port, cfg)
		if noIPv6 := errors.Is(err, unix.EAFNOSUPPORT) || errors.Is(err, unix.EADDRNOTAVAIL); err != nil && (host.IsValid() || !noIPv6) {
			return err
		}
	}
	for _, family := range []struct {
		sockets []*socket
		outlets **outlets
	}{{s.v4, &s.out4}, {s.v6, &s.out6}} {
		if len(family.sockets) > 0 {
			var err error
			if *family.outlets, err = newOutlets(family.sockets[0], host, cfg); err != nil {
				c.noOutlets = errors.Join(c.noOutlets, err)
			}
			for _, receives := range family.sockets {
				receives.list = *family.outlets
			}
		}
	}
	return nil
}

// Another opens a Conn like this one on another port, any that is free.
func (c *Conn) Another() (*Conn, error) {
	other := &Conn{host: c.host, config: c.config, opened: c.opened}
	if err := other.listen(0); err != nil {
		return nil, err
	}
	return other, nil
}

// Exchange makes the port of the other Conn, which comes from Another, this one's, and
// this one's the other's. Outboxes send by the new one from now on. The Inboxes of both
// go on, until the Conn that has their port by then is closed.
func (c *Conn) Exchange(other *Conn) {
	old := c.sockets.Load()
	c.sockets.Store(other.sockets.Load())
	other.sockets.Store(old)
	for _, list := range []*outlets{old.out4, old.out6} {
		if list != nil {
			list.retire()
		}
	}
}

// now is the clock of outlets.
func (c *Conn) now() time.Duration { return time.Since(c.opened) }

// Inboxes returns an Inbox for each socket. It may be called once.
func (c *Conn) Inboxes() (list []*Inbox) {
	c.each(func(s *socket) { list = append(list, newInbox(s)) })
	return list
}

// Addrs returns where the sockets listen: an address for each family, all with the
// same port.
func (c *Conn) Addrs() (list []netip.AddrPort) {
	for _, family := range c.families() {
		list = append(list, family[0].addr())
	}
	return list
}

// Absent reports whether the host does not have the address to listen on now:
// datagrams come and go once it has it.
func (c *Conn) Absent() bool {
	if !c.host.IsValid() {
		return false
	}
	probe, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(c.host, 0)))
	if err != nil {
		return errors.Is(err, unix.EADDRNOTAVAIL)
	}
	probe.Close()
	return false
}

// Offloads returns the offloads in use now: those that all sockets that carry data
// have.
func (c *Conn) Offloads() Offloads {
	o := Offloads{Segment: true, GRO: true, ReceiveBuffer: math.MaxInt, SendBuffer: math.MaxInt}
	for _, family := range c.families() {
		o.Segment = o.Segment && family[0].gso.Load() // the others send no data
	}
	c.each(func(s *socket) {
		receive, _ := s.buffers()
		_, send := s.list.common.Load().buffers() // those of own outlets vary
		o.GRO = o.GRO && s.gro
		o.ReceiveBuffer, o.SendBuffer = min(o.ReceiveBuffer, receive), min(o.SendBuffer, send)
	})
	return o
}

// NoOutlets says why the host has granted fewer outlets than it was asked for, nil:
// it has not.
func (c *Conn) NoOutlets() error { return c.noOutlets }

// Close ends all sockets, and with net.ErrClosed every call that waits for one.
func (c *Conn) Close() {
	c.each(func(s *socket) { s.conn.Close() })
	now := c.sockets.Load()
	for _, o := range []*outlets{now.out4, now.out6} {
		if o != nil {
			o.close()
		}
	}
}

// socketFor returns the socket by which an outbox sends to a destination (see
// OutboxConfig.Wait), nil if no socket has its address family.
func (c *Conn) socketFor(to *Destination, waits bool) *socket {
	now := c.sockets.Load()
	family, list := now.v4, now.out4
	if to.IPv6() {
		family, list = now.v6, now.out6
	}
	switch {
	case len(family) == 0:
		return nil
	case !waits:
		return family[len(family)-1]
	}
	if own := to.own.Load(); own != nil {
		return own
	}
	return list.common.Load()
}

func (c *Conn) families() (list [][]*socket) {
	now := c.sockets.Load()
	if now == nil {
		return nil // the zero Conn has none
	}
	for _, family := range [][]*socket{now.v4, now.v6} {
		if len(family) > 0 {
			list = append(list, family)
		}
	}
	return list
}

// each calls f for every open socket.
func (c *Conn) each(f func(*socket)) {
	for _, family := range c.families() {
		for _, s := range family {
			f(s)
		}
	}
}
