package udp

import (
	"errors"
	"math"
	"net/netip"

	"golang.org/x/sys/unix"
)

// A Conn is a UDP port: for each address family that the host has the same number
// of sockets. The kernel gives all datagrams from one place, and ICMP about what
// went there, to the same socket, so that nothing is reordered.
type Conn struct {
	v4, v6 []*socket // empty where the host lacks the family or it was not asked for
}

// Listen binds host (all addresses if it is invalid) and port, 0 for any. The error
// is EADDRINUSE if another process uses the port, and says which if that is to be
// seen. An address that the host does not have yet is no error: see Absent.
func Listen(host netip.Addr, port uint16, cfg Config) (_ *Conn, err error) {
	cfg = cfg.withDefaults()
	c := new(Conn)
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
		if c.v4, err = listenFamily("udp4", addr, port, cfg); err != nil {
			return nil, err
		}
		port = c.v4[0].addr().Port()
	}
	if !host.Is4() {
		addr := host
		if !addr.IsValid() {
			addr = netip.IPv6Unspecified()
		}
		c.v6, err = listenFamily("udp6", addr, port, cfg)
		if noIPv6 := errors.Is(err, unix.EAFNOSUPPORT) || errors.Is(err, unix.EADDRNOTAVAIL); err != nil && (host.IsValid() || !noIPv6) {
			return nil, err
		}
	}
	return c, nil
}

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

// Absent reports whether the host did not have the address when it was bound:
// datagrams come and go once it has it.
func (c *Conn) Absent() bool {
	absent := false
	c.each(func(s *socket) { absent = absent || s.absent })
	return absent
}

// Offloads returns the offloads in use now: those that all sockets that carry data
// have.
func (c *Conn) Offloads() Offloads {
	o := Offloads{Segment: true, GRO: true, ReceiveBuffer: math.MaxInt, SendBuffer: math.MaxInt}
	for _, family := range c.families() {
		o.Segment = o.Segment && family[0].gso.Load() // the others send no data
	}
	c.each(func(s *socket) {
		receive, send := s.buffers()
		o.GRO = o.GRO && s.gro
		o.ReceiveBuffer, o.SendBuffer = min(o.ReceiveBuffer, receive), min(o.SendBuffer, send)
	})
	return o
}

// Close ends all sockets, and with net.ErrClosed every call that waits for one.
func (c *Conn) Close() {
	c.each(func(s *socket) { s.conn.Close() })
}

// socketFor returns the socket by which an outbox sends to an address (see
// OutboxConfig.Wait), nil if no socket has the address family.
func (c *Conn) socketFor(to netip.Addr, waits bool) *socket {
	family := c.v4
	if to.Is6() {
		family = c.v6
	}
	switch {
	case len(family) == 0:
		return nil
	case waits:
		return family[0]
	}
	return family[len(family)-1]
}

func (c *Conn) families() (list [][]*socket) {
	for _, family := range [][]*socket{c.v4, c.v6} {
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
