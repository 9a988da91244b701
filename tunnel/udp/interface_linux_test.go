package udp

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"fathom/test/netlab"
	"fathom/test/netlab/labtest"
	"fathom/test/tier"
)

// uplinks is host a with two ways to the same addresses, one by each of two routers,
// which have them both: two default routes of different metrics, and no rules.
//
//	a eth0 10.1.0.2, fd01::2 ── r1   metric 100
//	a eth1 10.2.0.2, fd02::2 ── r2   metric 200
type uplinks struct {
	lab     *netlab.Lab
	a       *netlab.Host
	links   [2]*netlab.Link
	routers [2]*netlab.Host
}

var (
	far4, far6 = netip.MustParseAddr("203.0.113.7"), netip.MustParseAddr("2001:db8:f::7")
	farPort    = uint16(7)
)

func newUplinks(t testing.TB) *uplinks {
	t.Helper()
	lab := labtest.New(t)
	u := &uplinks{lab: lab, a: lab.Host("a")}
	for i := range u.links {
		r := lab.Host(fmt.Sprintf("r%d", i+1))
		u.links[i] = lab.Connect(u.a, r, netlab.LinkConfig{
			AddrA: netlab.Prefixes(fmt.Sprintf("10.%d.0.2/24", i+1), fmt.Sprintf("fd0%d::2/64", i+1)),
			AddrB: netlab.Prefixes(fmt.Sprintf("10.%d.0.1/24", i+1), fmt.Sprintf("fd0%d::1/64", i+1))})
		u.routers[i] = r
		r.Interface("lo").AddAddress(netip.PrefixFrom(far4, 32), netip.PrefixFrom(far6, 128))
		must(t, u.a.Do(func() error {
			for _, gateway := range u.links[i].B.Addrs() {
				family := netlink.FAMILY_V4
				if gateway.Is6() {
					family = netlink.FAMILY_V6
				}
				if err := netlink.RouteAdd(&netlink.Route{Family: family, Gw: gateway.AsSlice(), LinkIndex: u.index(t, i), Priority: 100 * (i + 1)}); err != nil {
					return err
				}
				meet(t, gateway)
			}
			return nil
		}))
	}
	return u
}

// meet waits until the kernel has found a neighbour. Where the machine stands still, it
// may give up the first search, and drop what waits for the answer.
func meet(t testing.TB, neighbour netip.Addr) {
	t.Helper()
	conn, err := net.Dial("udp", netip.AddrPortFrom(neighbour, 9).String()) // where nothing listens
	must(t, err)
	defer conn.Close()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); {
		conn.Write([]byte{0})
		conn.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
		if _, err := conn.Read(make([]byte, 1)); errors.Is(err, unix.ECONNREFUSED) {
			return
		}
	}
	t.Fatalf("no answer from %v", neighbour)
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// index returns that of an uplink of a. Call it on a thread of a.
func (u *uplinks) index(t testing.TB, i int) int {
	t.Helper()
	link, err := net.InterfaceByName(u.links[i].A.Name())
	must(t, err)
	return link.Index
}

// address returns that of an uplink of a, in the family of the far address.
func (u *uplinks) address(i int, far netip.Addr) netip.Addr {
	if far.Is6() {
		return u.links[i].A.Addr6()
	}
	return u.links[i].A.Addr4()
}

// sinks receive at the far addresses, one on each router.
func (u *uplinks) sinks(t testing.TB, far netip.Addr) (sinks [2]net.PacketConn) {
	t.Helper()
	for i, r := range u.routers {
		sink, err := r.ListenPacket("udp", netip.AddrPortFrom(far, farPort).String())
		must(t, err)
		t.Cleanup(func() { sink.Close() })
		sinks[i] = sink
	}
	return sinks
}

// TestDatagramsLeaveByTheirInterface, and not by that of the better route, whatever
// they leave by otherwise: packet by packet on one Conn, in runs that the kernel cuts,
// by an outlet, and by one that waits for nothing.
func TestDatagramsLeaveByTheirInterface(t *testing.T) {
	const size, many = 500, 5
	for _, family := range []string{"IPv4", "IPv6"} {
		for _, by := range []string{"the common outlet", "an outlet of its own", "the last socket"} {
			t.Run(family+" "+by, func(t *testing.T) {
				u := newUplinks(t)
				far := far4
				if family == "IPv6" {
					far = far6
				}
				sinks := u.sinks(t, far)
				company := new(Company)
				company.Join()
				company.Join()
				must(t, u.a.Do(func() error {
					c, err := Listen(netip.Addr{}, 0, Config{DontFragment: true, Offload: true, Sockets: 2, Outlets: 2, Company: company})
					must(t, err)
					defer c.Close()
					var told told
					o := c.NewOutbox(told.config(by != "the last socket"))
					remote := netip.AddrPortFrom(far, farPort)
					var none netip.Addr
					// By turns, in one batch.
					type way struct {
						to *Destination
						by int // which uplink
					}
					ways := []way{
						{NewDestination(remote, none), 0},
						{NewDestinationBy(remote, none, u.index(t, 1)), 1},
						{NewDestinationBy(remote, none, u.index(t, 0)), 0},
					}
					if family == "IPv4" {
						second := u.links[1].A.Addr4()
						ways = append(ways,
							way{NewDestinationBy(remote, second, u.index(t, 1)), 1},
							way{NewDestination(remote, second), 0}) // an address alone does not decide
					}
					for i, w := range ways {
						if by == "an outlet of its own" {
							list := c.sockets.Load().out4
							if family == "IPv6" {
								list = c.sockets.Load().out6
							}
							w.to.own.Store(list.all[1])
						}
						for range many {
							put(t, o, w.to, size, byte(i), 0, nil)
						}
					}
					must(t, o.Flush())
					if len(told.refused) > 0 {
						t.Errorf("refused: %v", told.refused)
					}
					got := make([]int, len(ways))
					for i, sink := range sinks {
						wanted := 0
						for _, w := range ways {
							if w.by == i {
								wanted += many
							}
						}
						b := make([]byte, 2*size)
						for range wanted {
							sink.SetReadDeadline(time.Now().Add(20 * time.Second))
							n, from, err := sink.ReadFrom(b)
							if err != nil {
								t.Fatalf("uplink %d: %v; have %v", i, err, got)
							}
							w := ways[b[0]]
							if n != size || w.by != i {
								t.Errorf("uplink %d: %d bytes of way %d", i, n, b[0])
							}
							if local := from.(*net.UDPAddr).AddrPort().Addr().Unmap(); w.to.Interface() != 0 && local != u.address(i, far) {
								t.Errorf("uplink %d: way %d leaves from %v", i, b[0], local)
							}
							got[b[0]]++
						}
					}
					return nil
				}))
			})
		}
	}
}

// TestAnInterfaceIsKeptTo: a datagram leaves by no other interface where its own is gone
// or down, and from another address of its own where that one is gone.
func TestAnInterfaceIsKeptTo(t *testing.T) {
	for _, far := range []netip.Addr{far4, far6} {
		t.Run(far.String(), func(t *testing.T) {
			u := newUplinks(t)
			sinks := u.sinks(t, far)
			must(t, u.a.Do(func() error {
				c, err := Listen(netip.Addr{}, 0, Config{DontFragment: true, Offload: true})
				must(t, err)
				defer c.Close()
				var told told
				o := c.NewOutbox(told.config(true))
				remote, index := netip.AddrPortFrom(far, farPort), u.index(t, 1)
				lost := netip.MustParseAddr("10.2.0.77")
				if far.Is6() {
					lost = netip.MustParseAddr("fd02::77")
				}
				put(t, o, NewDestinationBy(remote, lost, index), 100, 1, 0, nil)
				must(t, o.Flush())
				b := make([]byte, 200)
				sinks[1].SetReadDeadline(time.Now().Add(20 * time.Second))
				if _, from, err := sinks[1].ReadFrom(b); err != nil || from.(*net.UDPAddr).AddrPort().Addr().Unmap() != u.address(1, far) {
					t.Errorf("without its address: from %v, %v", from, err)
				}
				by := NewDestinationBy(remote, netip.Addr{}, index)
				u.links[1].A.Down()
				put(t, o, by, 100, 2, 0, nil)
				if err := o.Flush(); err == nil {
					t.Error("sent although the interface is down")
				}
				link, err := netlink.LinkByIndex(index)
				must(t, err)
				must(t, netlink.LinkDel(link))
				put(t, o, by, 100, 3, 0, nil)
				if err := o.Flush(); !errors.Is(err, unix.ENODEV) {
					t.Errorf("without the interface: %v", err)
				}
				put(t, o, NewDestination(remote, netip.Addr{}), 100, 4, 0, nil)
				must(t, o.Flush())
				sinks[0].SetReadDeadline(time.Now().Add(20 * time.Second))
				if n, _, err := sinks[0].ReadFrom(b); err != nil || n != 100 || b[0] != 4 {
					t.Errorf("the first that leaves by the other is %d, %v", b[0], err)
				}
				return nil
			}))
		})
	}
}

// TestArrivalsTellTheirInterface, also where the same address answers at several, and
// the answer to one leaves by it: to a link-local place as well.
func TestArrivalsTellTheirInterface(t *testing.T) {
	u := newUplinks(t)
	must(t, u.a.Do(func() error {
		c, err := Listen(netip.Addr{}, 0, Config{DontFragment: true, Offload: true})
		must(t, err)
		defer c.Close()
		var told told
		o := c.NewOutbox(told.config(true))
		port := c.Addrs()[0].Port()
		boxes := c.Inboxes()
		for i, r := range u.routers {
			r.DefaultVia(u.links[i].A.Addrs()...) // of the other uplink, too
			for _, v6 := range []bool{false, true} {
				in, to := boxes[0], u.address(0, far4)
				if v6 {
					in, to = boxes[1], u.address(0, far6)
				}
				far, err := r.Dial("udp", netip.AddrPortFrom(to, port).String())
				must(t, err)
				defer far.Close()
				_, err = far.Write([]byte("x"))
				must(t, err)
				if n, err := in.Receive(0, true); err != nil || n != 1 {
					t.Fatalf("%d, %v", n, err)
				}
				_, a := in.Slot(0)
				if a.Interface != u.index(t, i) || a.Local != to {
					t.Errorf("router %d: %+v", i, a)
				}
				put(t, o, NewDestinationBy(a.From, netip.Addr{}, a.Interface), 10, 1, 0, nil)
				must(t, o.Flush())
			}
		}
		// Link-local: the zone of the place is the interface.
		index := u.index(t, 1)
		link, err := netlink.LinkByIndex(index)
		must(t, err)
		far := linkLocal(t, u.routers[1], u.links[1].B.Name())
		sink, err := u.routers[1].ListenPacket("udp", fmt.Sprintf("[%s%%%s]:%d", far, u.links[1].B.Name(), farPort))
		must(t, err)
		defer sink.Close()
		ours := linkLocal(t, u.a, link.Attrs().Name)
		for _, local := range []netip.Addr{{}, ours} {
			place := netip.AddrPortFrom(far.WithZone(link.Attrs().Name), farPort)
			put(t, o, NewDestinationBy(place, local, index), 100, 9, 0, nil)
			must(t, o.Flush())
			sink.SetReadDeadline(time.Now().Add(20 * time.Second))
			_, from, err := sink.ReadFrom(make([]byte, 200))
			if err != nil || from.(*net.UDPAddr).AddrPort().Addr().WithZone("") != ours {
				t.Errorf("from %v, %v; want %v", from, err, ours)
			}
		}
		put(t, o, NewDestinationBy(netip.AddrPortFrom(far.WithZone(link.Attrs().Name), farPort), netip.Addr{}, u.index(t, 0)), 100, 9, 0, nil)
		if err := o.Flush(); err == nil {
			t.Error("sent by an interface that is not the zone")
		}
		return nil
	}))
}

// linkLocal returns the link-local address of an interface, once it can be used.
func linkLocal(t *testing.T, h *netlab.Host, name string) (addr netip.Addr) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		must(t, h.Do(func() error {
			link, err := netlink.LinkByName(name)
			if err != nil {
				return err
			}
			list, err := netlink.AddrList(link, netlink.FAMILY_V6)
			for _, a := range list {
				if found, _ := netip.AddrFromSlice(a.IP); found.IsLinkLocalUnicast() && a.Flags&unix.IFA_F_TENTATIVE == 0 {
					addr = found
				}
			}
			return err
		}))
		if addr.IsValid() {
			return addr
		}
	}
	t.Fatalf("%s has no link-local address", name)
	return addr
}

// TestPTBsAboutADatagramByAnInterface come to the error queue, in both families.
func TestPTBsAboutADatagramByAnInterface(t *testing.T) {
	const narrow = 1300
	u := newUplinks(t)
	// The second router leads on to the far addresses, by a narrow link.
	for _, far := range []netip.Addr{far4, far6} {
		u.routers[1].Interface("lo").RemoveAddress(netip.PrefixFrom(far, far.BitLen()))
	}
	on := u.lab.Connect(u.routers[1], u.lab.Host("b"), netlab.LinkConfig{
		AddrA: netlab.Prefixes("203.0.113.1/24", "2001:db8:f::1/64"), AddrB: netlab.Prefixes("203.0.113.7/24", "2001:db8:f::7/64")})
	on.SetMTU(narrow)
	u.routers[1].Forward()
	must(t, u.a.Do(func() error {
		c, err := Listen(netip.Addr{}, 0, Config{DontFragment: true, Offload: true})
		must(t, err)
		defer c.Close()
		var told told
		o := c.NewOutbox(told.config(true))
		for i, far := range []netip.Addr{far4, far6} {
			in, remote := c.Inboxes()[i], netip.AddrPortFrom(far, farPort)
			by := NewDestinationBy(remote, netip.Addr{}, u.index(t, 1))
			var ptbs []ICMP
			for deadline := time.Now().Add(20 * time.Second); len(ptbs) == 0 && time.Now().Before(deadline); time.Sleep(time.Millisecond) {
				put(t, o, by, narrow, 1, 0, nil)
				_ = o.Flush() // an ICMP message may be the reason for another error
				in.DrainErrors(func(m ICMP) { ptbs = append(ptbs, m) })
			}
			if len(ptbs) == 0 || ptbs[0].To != remote || ptbs[0].MTU != narrow {
				t.Errorf("%s: %+v", far, ptbs)
			}
		}
		return nil
	}))
}

// TestAnInterfaceDoesNotAllocate: it is told the kernel in memory of the outbox.
func TestAnInterfaceDoesNotAllocate(t *testing.T) {
	tier.Select(t, tier.Quick, tier.Measures)
	c, far := listen(t, Config{Offload: true, Sockets: 2, Outlets: 2}), listen(t, Config{})
	lo, err := net.InterfaceByName("lo")
	must(t, err)
	var told told
	o := c.NewOutbox(told.config(true))
	datagram := make([]byte, 1200)
	for _, to := range []*Destination{NewDestinationBy(far.Addrs()[0], loopback, lo.Index), NewDestinationBy(far.Addrs()[0], netip.Addr{}, lo.Index)} {
		if n := testing.AllocsPerRun(1000, func() {
			for i := range 20 {
				// In messages of their own.
				o.Put(len(append(o.Room(len(datagram)), datagram...)), to, uint8(i<<2), nil)
			}
			must(t, o.Flush())
		}); n > 0 {
			t.Errorf("%v allocations a run", n)
		}
	}
}
