package host

import (
	"errors"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// far is where only a default route leads.
var far = []netip.Prefix{netip.MustParsePrefix("203.0.113.0/24"), netip.MustParsePrefix("2001:db8:7::/48")}

// TestContestedRules: however often another program deletes the two rules that keep
// packets from the uplink, one of them is there.
func TestContestedRules(t *testing.T) {
	inHost(t, func() error {
		uplink(t)
		l := divert(t, "fathom0", Config{})
		defer l.Close()
		now, most := time.Now(), time.Duration(0)
		for i := range 20 {
			for family, set := range l.policy.sets {
				r := set.rules[len(set.rules)-1-i%2]
				check(t, netlink.RuleDel(r))
				if way := leavesBy(t, far[family]); way == "wan" {
					t.Errorf("deletion %d: %s leaves by %s", i, far[family], way)
				}
				began := now
				for next := now; !l.seen.rules[ruleItem(r.Family, r.Priority)] || next == now; now = next {
					if _, next = l.Restore(now); next.IsZero() {
						break
					}
				}
				most = max(most, now.Sub(began))
			}
			now = now.Add(time.Millisecond)
		}
		if most > maxGuardRest {
			t.Errorf("a rule was away for %v", most)
		}
		if c := l.Condition(now).Contested; len(c) != 4 {
			t.Errorf("contested: %v", c)
		}
		return nil
	})
}

// TestWhatCannotBePutRight is told once, and tried again.
func TestWhatCannotBePutRight(t *testing.T) {
	inHost(t, func() error {
		k := tend(t)
		remake := k.config.Remake
		k.config.Remake = func() error { return errors.New("no device any more") }
		if err := netlink.LinkDel(state(t, "fathom0")); err != nil {
			return err
		}
		expectToken(t, k.ours, "the deletion")
		now := time.Now()
		for i := range 5 {
			told, next := k.Restore(now)
			if i == 0 != (len(told) == 1) || i == 0 && !strings.Contains(told[0].Err.Error(), "no device any more") || !next.After(now) {
				t.Errorf("%d: told %+v, next in %v", i, told, next.Sub(now))
			}
			now = next
		}
		if err := errors.Join(k.SetMTU(1300), k.Route(Route{Prefix: net4, MTU: 1300})); err != nil {
			t.Error(err)
		}
		k.config.Remake = remake
		if told, _ := k.Restore(now); len(told) < 2 || told[0].Err != nil {
			t.Errorf("told %+v", told)
		}
		if mtu := state(t, "fathom0").Attrs().MTU; mtu != 1300 {
			t.Errorf("MTU %d", mtu)
		}
		return nil
	})
}

// TestWhatCannotBeRead keeps nothing else from being put right, is told once, and
// tried again soon.
func TestWhatCannotBeRead(t *testing.T) {
	inHost(t, func() error {
		k := tend(t)
		expectToken(t, k.ours, "the beginning")
		k.Restore(time.Now())
		strict := k.strict.Socket
		closed, err := nl.Subscribe(unix.NETLINK_ROUTE)
		check(t, err)
		closed.Close()
		k.strict.Socket = closed
		now, failures := time.Now(), 0
		for range 5 {
			check(t, errors.Join(netlink.RouteDel(guardRoute(guardIn(net4, mainTable))), without(t, net6)))
			expectToken(t, k.ours, "the deletions")
			time.Sleep(50 * time.Millisecond) // both are read
			told, next := k.Restore(now)
			for _, r := range told {
				if r.Err != nil {
					failures++
				}
			}
			if wait := next.Sub(now); wait <= 0 || wait > firstRest {
				t.Errorf("again after %v", wait)
			}
			if way := leavesBy(t, net6); way != "fathom0" {
				t.Errorf("%s: %s", net6, way)
			}
			now = now.Add(time.Minute)
		}
		if n := k.Condition(now).Repaired; failures != 1 || n[KindGuard] != 5 || n[KindRoute] != 5 {
			t.Errorf("%d failures told, repaired %v", failures, n)
		}
		k.strict.Socket = strict
		if told, next := k.Restore(now); len(told) > 0 || !next.IsZero() {
			t.Errorf("told %v, next %v", told, next)
		}
		return nil
	})
}

// TestAddressesOfOthers come and go in great number while ours are looked at.
func TestAddressesOfOthers(t *testing.T) {
	inHost(t, func() error {
		k := tend(t)
		other := state(t, "uplink")
		addr := func(n int) *netlink.Addr {
			return &netlink.Addr{IPNet: ipNet(netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 200, byte(n / 250), byte(n%250 + 1)}), 32))}
		}
		for n := range 1000 {
			check(t, netlink.AddrAdd(other, addr(n)))
		}
		handle, err := netlink.NewHandle()
		check(t, err)
		quit, done := make(chan struct{}), make(chan struct{})
		go func() {
			defer close(done)
			defer handle.Close()
			for {
				select {
				case <-quit:
					return
				case <-time.After(time.Millisecond):
					_ = errors.Join(handle.AddrAdd(other, addr(2000)), handle.AddrDel(other, addr(2000)))
				}
			}
		}()
		for range 200 {
			if told, _ := k.Restore(time.Now()); len(told) > 0 {
				t.Fatalf("told %v", told)
			}
		}
		close(quit)
		<-done
		return nil
	})
}

func TestConsistent(t *testing.T) {
	for name, test := range map[string]struct {
		errs []error
		want error
		n    int
	}{
		"at once":    {[]error{nil}, nil, 1},
		"the third":  {[]error{netlink.ErrDumpInterrupted, netlink.ErrDumpInterrupted, nil}, nil, 3},
		"never":      {slices.Repeat([]error{netlink.ErrDumpInterrupted}, 2*mostDumps), netlink.ErrDumpInterrupted, mostDumps},
		"a real one": {[]error{net.ErrClosed, nil}, net.ErrClosed, 1},
	} {
		n := 0
		got, err := consistent(func() (int, error) { n++; return n, test.errs[n-1] })
		if !errors.Is(err, test.want) || got != test.n || n != test.n {
			t.Errorf("%s: %v after %d", name, err, n)
		}
	}
}

// TestOursFollowsTheirs at once, however long a route was in place of ours, and
// whatever made it go.
func TestOursFollowsTheirs(t *testing.T) {
	for name, leave := range map[string]func(t *testing.T, theirs *netlink.Route) error{
		"deleted": func(_ *testing.T, theirs *netlink.Route) error { return netlink.RouteDel(theirs) },
		"with its interface": func(t *testing.T, _ *netlink.Route) error {
			return netlink.LinkSetDown(state(t, "uplink"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			inHost(t, func() error {
				k := tend(t)
				theirs := &netlink.Route{Dst: ipNet(net4), Gw: net.ParseIP("192.0.2.2")}
				check(t, netlink.RouteReplace(theirs))
				expectToken(t, k.ours, "their route")
				now := time.Now()
				for range 40 {
					if k.Restore(now); len(k.Condition(now).Displaced) != 1 {
						t.Fatal("not in place of ours")
					}
					now = now.Add(time.Second)
				}
				time.Sleep(2 * gatherOurs)
				for len(k.ours) > 0 {
					<-k.ours
				}
				check(t, leave(t, theirs))
				for leavesBy(t, net4) != "fathom0" {
					expectToken(t, k.ours, "that their route is gone")
					k.Restore(now)
				}
				if c := k.Condition(now); len(c.Displaced) != 0 || c.Repaired[KindRoute] != 1 {
					t.Errorf("%+v", c)
				}
				return nil
			})
		})
	}
}

// TestBeforeTheWatch others may have changed what was given to the interface.
func TestBeforeTheWatch(t *testing.T) {
	inHost(t, func() error {
		addDevice(t, "fathom0")
		attach(t, "fathom0-far", Config{MTU: 1500})
		l := attach(t, "fathom0", Config{MTU: 1438, Addresses: []netip.Prefix{addr4}})
		check(t, errors.Join(l.Route(Route{Prefix: net4}), l.Guard(net4)))
		check(t, errors.Join(netlink.AddrDel(state(t, "fathom0"), &netlink.Addr{IPNet: ipNet(addr4)}), netlink.RouteDel(guardRoute(guardIn(net4, mainTable)))))
		k := &tended{l, make(chan struct{}, 1), NewChanges()}
		w, err := l.Watch(k.ours, k.changes)
		check(t, err)
		defer w.Close()
		k.restore(t)
		return nil
	})
}

// TestAllRoutesAreLookedAtSeldom on a host where that takes long. A guard comes back
// meanwhile.
func TestAllRoutesAreLookedAtSeldom(t *testing.T) {
	inHost(t, func() error {
		k := tend(t)
		expectToken(t, k.ours, "the beginning")
		k.Restore(time.Now())
		now := time.Now()
		free := now.Add(time.Second)
		k.free = free
		check(t, errors.Join(netlink.LinkSetDown(state(t, "fathom0")), netlink.RouteDel(guardRoute(guardIn(net4, mainTable)))))
		expectToken(t, k.ours, "the changes")
		time.Sleep(50 * time.Millisecond) // both are read
		if _, next := k.Restore(now); next != free {
			t.Errorf("next after %v", next.Sub(now))
		}
		// Of the loss of IPv4 routes the kernel has said nothing.
		if n, way := k.Condition(now).Repaired, leavesBy(t, net4); n[KindGuard] != 1 || way == "fathom0" || way == "uplink" {
			t.Errorf("repaired %v, leaves by %s", n, way)
		}
		k.Restore(free)
		if way := leavesBy(t, net4); way != "fathom0" {
			t.Errorf("leaves by %s", way)
		}
		return nil
	})
}
