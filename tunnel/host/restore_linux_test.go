package host

import (
	"errors"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"fathom/test/netlab"
)

// tended is a Link with a watch, whose tokens the test reads.
type tended struct {
	*Link
	ours    chan struct{}
	changes *Changes
}

// tend attaches to a new device fathom0 beside an uplink with the default route,
// and gives it routes with guards.
func tend(t *testing.T) *tended {
	t.Helper()
	addDevice(t, "uplink")
	attach(t, "uplink-far", Config{MTU: 1500})
	attach(t, "uplink", Config{Addresses: netlab.Prefixes("192.0.2.1/24", "2001:db8::1/64"), MTU: 1500})
	for _, via := range []string{"192.0.2.2", "2001:db8::2"} {
		if err := netlink.RouteAdd(&netlink.Route{Gw: net.ParseIP(via)}); err != nil {
			t.Fatal(err)
		}
	}
	addDevice(t, "fathom0")
	attach(t, "fathom0-far", Config{MTU: 1500})
	l := attach(t, "fathom0", Config{
		Addresses: []netip.Prefix{addr4, addr6}, MTU: 1438,
		Remake: func() error {
			addDevice(t, "fathom0")
			attach(t, "fathom0-far", Config{MTU: 1500})
			return nil
		},
	})
	k := &tended{l, make(chan struct{}, 1), NewChanges()}
	for _, prefix := range []netip.Prefix{net4, net6, addr4.Masked()} {
		if err := errors.Join(l.Route(Route{Prefix: prefix, MTU: 1400}), l.Guard(prefix)); err != nil {
			t.Fatal(err)
		}
	}
	w, err := l.Watch(k.ours, k.changes)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	return k
}

// expectToken waits for a token.
func expectToken(t *testing.T, told <-chan struct{}, of string) {
	t.Helper()
	select {
	case <-told:
	case <-time.After(20 * time.Second):
		t.Fatalf("%s: not told", of)
	}
}

// restore follows the tokens until nothing is amiss, and returns all reports.
func (k *tended) restore(t *testing.T) (told []Repair) {
	t.Helper()
	expectToken(t, k.ours, "what was changed")
	deadline := time.Now().Add(20 * time.Second)
	for {
		repairs, _ := k.Restore(time.Now())
		told = append(told, repairs...)
		wrong, err := amiss(k.Link)
		if err != nil {
			t.Fatal(err)
		}
		if len(wrong) == 0 {
			return told
		}
		if time.Now().After(deadline) {
			t.Fatalf("still amiss: %v, told %+v", wrong, told)
		}
		time.Sleep(time.Millisecond)
	}
}

// amiss looks at everything anew, and returns what is not as it is wanted.
func amiss(l *Link) ([]item, error) {
	l.doubt.all = true
	err := errors.Join(l.look(), l.lookAtRoutes(time.Now()))
	return l.wanted.amiss(&l.seen), err
}

// leavesBy returns the interface by which a packet to an address of the prefix
// leaves, or the error.
func leavesBy(t *testing.T, prefix netip.Prefix) string {
	t.Helper()
	routes, err := netlink.RouteGet(net.IP(prefix.Masked().Addr().Next().Next().AsSlice()))
	if err != nil {
		return err.Error()
	}
	link, err := netlink.LinkByIndex(routes[0].LinkIndex)
	if err != nil {
		t.Fatal(err)
	}
	return link.Attrs().Name
}

// without deletes the route to a prefix through the device.
func without(t *testing.T, prefix netip.Prefix) error {
	r := &netlink.Route{Dst: ipNet(prefix), LinkIndex: state(t, "fathom0").Attrs().Index}
	if prefix.Addr().Is4() {
		r.Scope = netlink.SCOPE_LINK
	}
	return netlink.RouteDel(r)
}

// TestRestore puts right whatever others do to the device. In the meantime no
// packet for a guarded prefix leaves by another way.
func TestRestore(t *testing.T) {
	device := func(t *testing.T) netlink.Link { return state(t, "fathom0") }
	for name, test := range map[string]struct {
		change func(t *testing.T) error
		kinds  []Kind
	}{
		"down and up": {func(t *testing.T) error {
			return errors.Join(netlink.LinkSetDown(device(t)), netlink.LinkSetUp(device(t)))
		}, []Kind{KindRoute, KindAddress}},
		"down": {func(t *testing.T) error { return netlink.LinkSetDown(device(t)) }, []Kind{KindUp, KindRoute, KindAddress}},
		"MTU":  {func(t *testing.T) error { return netlink.LinkSetMTU(device(t), 1500) }, []Kind{KindMTU}},
		"MTU without room for IPv6": {func(t *testing.T) error {
			return netlink.LinkSetMTU(device(t), 1000)
		}, []Kind{KindMTU, KindAddress, KindRoute}},
		"IPv4 address": {func(t *testing.T) error { return netlink.AddrDel(device(t), &netlink.Addr{IPNet: ipNet(addr4)}) }, []Kind{KindAddress, KindRoute}},
		"IPv6 address": {func(t *testing.T) error { return netlink.AddrDel(device(t), &netlink.Addr{IPNet: ipNet(addr6)}) }, []Kind{KindAddress}},
		"IPv4 route":   {func(t *testing.T) error { return without(t, net4) }, []Kind{KindRoute}},
		"IPv6 route":   {func(t *testing.T) error { return without(t, net6) }, []Kind{KindRoute}},
		"its metrics": {func(t *testing.T) error {
			return netlink.RouteReplace(&netlink.Route{Dst: ipNet(net4), LinkIndex: device(t).Attrs().Index, Scope: netlink.SCOPE_LINK})
		}, []Kind{KindRoute}},
		"IPv4 guard": {func(*testing.T) error { return netlink.RouteDel(guardRoute(guardIn(net4, mainTable))) }, []Kind{KindGuard}},
		"IPv6 guard": {func(*testing.T) error { return netlink.RouteDel(guardRoute(guardIn(net6, mainTable))) }, []Kind{KindGuard}},
		"the device": {func(t *testing.T) error { return netlink.LinkDel(device(t)) }, []Kind{KindDevice, KindAddress, KindRoute, KindUp}},
	} {
		t.Run(name, func(t *testing.T) {
			inHost(t, func() error {
				k := tend(t)
				if err := test.change(t); err != nil {
					return err
				}
				for _, prefix := range []netip.Prefix{net4, net6} {
					if way := leavesBy(t, prefix); way == "uplink" {
						t.Errorf("%s leaves by the uplink", prefix)
					}
				}
				told := k.restore(t)
				for _, prefix := range []netip.Prefix{net4, net6} {
					if way := leavesBy(t, prefix); way != "fathom0" {
						t.Errorf("%s: %s", prefix, way)
					}
				}
				repaired := k.Condition(time.Now()).Repaired
				n := 0
				for _, kind := range test.kinds {
					if repaired[kind] == 0 {
						t.Errorf("no %s counted: %v", kind, repaired)
					}
				}
				for _, count := range repaired {
					n += int(count)
				}
				if n != len(told) {
					t.Errorf("%d counted, told %+v", n, told)
				}
				return nil
			})
		})
	}
}

// TestNothingIsAmiss when the host has what was asked for, whatever that is.
func TestNothingIsAmiss(t *testing.T) {
	inHost(t, func() error {
		k := tend(t)
		for _, r := range []Route{{}, {MTU: 1280}, {AdvMSS: 536}, {MTU: 65535, AdvMSS: 65535}, {MTU: 1, AdvMSS: 1}} {
			for _, prefix := range []netip.Prefix{net4, net6} {
				r.Prefix = prefix
				if err := k.Route(r); err != nil {
					t.Error(err)
				}
			}
			if wrong, err := amiss(k.Link); err != nil || len(wrong) > 0 {
				t.Errorf("%+v: amiss %v: %v", r, wrong, err)
			}
		}
		return nil
	})
}

// TestOurOwnChangesAreNotTold by the watch, and those of others are.
func TestOurOwnChangesAreNotTold(t *testing.T) {
	inHost(t, func() error {
		k := tend(t)
		for quiet := false; !quiet; { // the other interfaces find their carriers
			select {
			case <-k.changes.Told():
			case <-k.ours:
			case <-time.After(400 * time.Millisecond):
				quiet = true
			}
		}
		theirs := &netlink.Route{Dst: ipNet(netip.MustParsePrefix("203.0.113.0/24")), Gw: net.IPv4(192, 0, 2, 2)}
		for i, mtu := range []int{1300, 1400, 1281} {
			err := k.SetMTU(mtu)
			for _, prefix := range []netip.Prefix{net4, net6, netip.MustParsePrefix("10.99.0.0/16")} {
				err = errors.Join(err, k.Route(Route{Prefix: prefix, MTU: mtu, AdvMSS: mtu - 60}), k.Guard(prefix))
			}
			if err != nil {
				return err
			}
			time.Sleep(50 * time.Millisecond) // the watch has read it all
			select {
			case <-k.changes.Told():
				t.Error("told the host")
			default:
			}
			// What it had not read by then it has read before this.
			if i%2 == 0 {
				err = netlink.RouteAdd(theirs)
			} else {
				err = netlink.RouteDel(theirs)
			}
			if err != nil {
				return err
			}
			expect(t, k.changes, "a foreign route")
			select {
			case <-k.ours:
				t.Error("told ourselves")
			default:
			}
		}
		return nil
	})
}

// TestARouteInPlaceOfOurs is left alone until it goes.
func TestARouteInPlaceOfOurs(t *testing.T) {
	for _, prefix := range []netip.Prefix{net4, net6} {
		t.Run(prefix.String(), func(t *testing.T) {
			inHost(t, func() error {
				k := tend(t)
				via := net.ParseIP("192.0.2.2")
				if prefix.Addr().Is6() {
					via = net.ParseIP("2001:db8::2")
				}
				theirs := &netlink.Route{Dst: ipNet(prefix), Gw: via}
				if err := netlink.RouteReplace(theirs); err != nil {
					return err
				}
				expectToken(t, k.ours, "the route")
				told, next := k.Restore(time.Now())
				want := prefix.String() + " via " + via.String() + " dev uplink"
				if len(told) != 1 || told[0].Displaced != want || next.IsZero() {
					t.Errorf("told %+v, want %s; next %v", told, want, next)
				}
				if err := k.Route(Route{Prefix: prefix, MTU: 1300}); err != nil {
					t.Error(err)
				}
				if told, _ = k.Restore(next); len(told) > 0 {
					t.Errorf("told again: %+v", told)
				}
				if c := k.Condition(next); len(c.Displaced) != 1 || c.Displaced[0] != want || len(c.Repaired) > 0 || len(c.Contested) > 0 {
					t.Errorf("%+v", c)
				}
				if way := leavesBy(t, prefix); way != "uplink" {
					t.Errorf("leaves by %s", way)
				}
				if err := netlink.RouteDel(theirs); err != nil {
					return err
				}
				if told := k.restore(t); len(told) != 1 || told[0].Err != nil {
					t.Errorf("told %+v", told)
				}
				k.Restore(time.Now())
				if c := k.Condition(time.Now()); len(c.Displaced) > 0 || c.Repaired[KindRoute] != 1 {
					t.Errorf("%+v", c)
				}
				return nil
			})
		})
	}
}

// TestGuards are taken over when they are there, and removed or kept at the end.
func TestGuards(t *testing.T) {
	inHost(t, func() error {
		addDevice(t, "fathom0")
		guards := func() (n int) {
			for _, family := range []int{netlink.FAMILY_V4, netlink.FAMILY_V6} {
				list, err := netlink.RouteListFiltered(family, &netlink.Route{Protocol: GuardProtocol, Type: unix.RTN_UNREACHABLE}, netlink.RT_FILTER_PROTOCOL|netlink.RT_FILTER_TYPE)
				if err != nil {
					t.Fatal(err)
				}
				n += len(list)
			}
			return n
		}
		for _, keep := range []bool{true, true, false, false} {
			l, err := Attach("fathom0", Config{MTU: 1438, KeepGuards: keep})
			if err != nil {
				return err
			}
			for range 2 {
				for _, prefix := range []netip.Prefix{net4, net6} {
					if err := errors.Join(l.Route(Route{Prefix: prefix}), l.Guard(prefix)); err != nil {
						t.Error(err)
					}
				}
			}
			if n := guards(); n != 2 {
				t.Errorf("%d guards", n)
			}
			l.Close()
			if n := guards(); n != 0 != keep {
				t.Errorf("keep %v: %d guards are left", keep, n)
			}
		}
		return nil
	})
}
