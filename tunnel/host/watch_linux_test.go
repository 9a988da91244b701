package host

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"fathom/test/netlab"
	"fathom/test/netlab/labtest"
)

// inHost runs fn on a thread in the network namespace of a host of its own.
func inHost(t *testing.T, fn func() error) {
	t.Helper()
	if err := labtest.New(t, netlab.Namespaces).Host("a").Do(fn); err != nil {
		t.Fatal(err)
	}
}

// loopback returns the interface lo of the host that the thread is in.
func loopback(t *testing.T) netlink.Link {
	t.Helper()
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		t.Fatal(err)
	}
	return lo
}

// expect waits for a change.
func expect(t *testing.T, changes *Changes, of string) Change {
	t.Helper()
	select {
	case <-changes.Told():
		return changes.Take()
	case <-time.After(20 * time.Second):
		t.Fatalf("%s: not told", of)
		panic("unreachable")
	}
}

// openSockets counts the sockets of the process.
func openSockets(t *testing.T) (n int) {
	t.Helper()
	files, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if to, err := os.Readlink("/proc/self/fd/" + f.Name()); err == nil && strings.HasPrefix(to, "socket:") {
			n++
		}
	}
	return n
}

func TestWatchTellsOfChanges(t *testing.T) {
	route := func(t *testing.T, prefix string) error {
		return netlink.RouteAdd(&netlink.Route{LinkIndex: loopback(t).Attrs().Index, Dst: ipNet(netip.MustParsePrefix(prefix))})
	}
	rule := func(family int) error {
		r := netlink.NewRule()
		r.Family, r.Table = family, unix.RT_TABLE_MAIN
		return netlink.RuleAdd(r)
	}
	concerned, spared := "192.0.2.1 2001:db8::1", "198.51.100.1 2001:db8:1::1"
	for _, test := range []struct {
		of                string
		change            func(*testing.T) error
		concerned, spared string
	}{
		{"an MTU", func(t *testing.T) error { return netlink.LinkSetMTU(loopback(t), 9000) }, concerned, ""},
		{"an IPv4 route", func(t *testing.T) error { return route(t, "192.0.2.0/24") }, "192.0.2.1", spared},
		{"an IPv6 route", func(t *testing.T) error { return route(t, "2001:db8::/64") }, "2001:db8::1", spared},
		{"an IPv4 default route", func(t *testing.T) error { return route(t, "0.0.0.0/0") }, "192.0.2.1", "2001:db8::1"},
		{"an IPv6 default route", func(t *testing.T) error { return route(t, "::/0") }, "2001:db8::1", "192.0.2.1"},
		{"an address", func(t *testing.T) error {
			return netlink.AddrAdd(loopback(t), &netlink.Addr{IPNet: ipNet(netip.MustParsePrefix("192.0.2.1/32"))})
		}, concerned, ""},
		{"an IPv4 rule", func(t *testing.T) error { return rule(unix.AF_INET) }, concerned, ""},
		{"an IPv6 rule", func(t *testing.T) error { return rule(unix.AF_INET6) }, concerned, ""},
	} {
		t.Run(test.of, func(t *testing.T) {
			inHost(t, func() error {
				changes := NewChanges()
				w, err := new(Link).Watch(nil, changes)
				if err != nil {
					return err
				}
				defer w.Close()
				if err := test.change(t); err != nil {
					return err
				}
				change := expect(t, changes, test.of)
				for _, addr := range strings.Fields(test.concerned) {
					if !change.Concerns(netip.MustParseAddr(addr)) {
						t.Errorf("does not concern %s", addr)
					}
				}
				for _, addr := range strings.Fields(test.spared) {
					if change.Concerns(netip.MustParseAddr(addr)) {
						t.Errorf("concerns %s", addr)
					}
				}
				return nil
			})
		})
	}
}

// TestAWatchOutlivesAnOverflow lets the kernel drop changes, since the buffer
// of the socket is small. The drop is told, and so are the changes after it.
func TestAWatchOutlivesAnOverflow(t *testing.T) {
	const many = 50
	inHost(t, func() error {
		lo := loopback(t)
		change := func(n int) {
			if err := netlink.LinkSetMTU(lo, 9000+n%2); err != nil {
				t.Fatal(err)
			}
		}
		small := func() *nl.NetlinkSocket {
			socket, err := subscribe()
			if err == nil {
				err = errors.Join(socket.SetReceiveBufferSize(1, false), socket.SetReceiveTimeout(&unix.Timeval{Sec: 20}))
			}
			if err != nil {
				t.Fatal(err)
			}
			return socket
		}
		before := openSockets(t)
		same, socket := small(), small()
		for n := range many {
			change(n)
		}
		if _, _, err := same.Receive(); !errors.Is(err, unix.ENOBUFS) {
			t.Fatalf("error %v of a socket that has dropped changes", err)
		}
		same.Close()

		changes := NewChanges()
		w := watch(socket, new(wanted).judge, new(throttle), changes)
		if !expect(t, changes, "the overflow").Concerns(netip.MustParseAddr("192.0.2.1")) {
			t.Error("what was dropped may concern anything")
		}
		// More than were in the buffer: some of the tokens are of new changes.
		for n := range 2 * many {
			change(n)
			expect(t, changes, "a change after the overflow")
		}
		w.Close()
		if after := openSockets(t); after != before {
			t.Errorf("%d sockets, before %d", after, before)
		}
		return nil
	})
}

// TestBurstsLeaveNothingBehind: after each burst that the kernel has dropped changes
// of, there are as many sockets and goroutines as before.
func TestBurstsLeaveNothingBehind(t *testing.T) {
	const bursts, many = 4, 50
	inHost(t, func() error {
		lo := loopback(t)
		before, goroutines := openSockets(t), runtime.NumGoroutine()
		socket, err := subscribe()
		if err == nil {
			err = socket.SetReceiveBufferSize(1, false)
		}
		if err != nil {
			return err
		}
		var held sync.Mutex // keeps the reader from reading on
		overflown := make(chan struct{}, 1)
		w := watch(socket, func(e *event) verdict {
			held.Lock()
			defer held.Unlock()
			if e.of == ofAnything {
				select {
				case overflown <- struct{}{}:
				default:
				}
			}
			return verdict{}
		}, new(throttle), NewChanges())
		for n := range bursts {
			held.Lock()
			for i := range many {
				if err := netlink.LinkSetMTU(lo, 9000+i%2); err != nil {
					t.Fatal(err)
				}
			}
			held.Unlock()
			select {
			case <-overflown:
			case <-time.After(20 * time.Second):
				t.Fatalf("burst %d: the kernel has dropped nothing", n)
			}
			if now := openSockets(t); now != before+1 {
				t.Errorf("burst %d: %d sockets, before the watch %d", n, now, before)
			}
			if now := runtime.NumGoroutine(); now > goroutines+1 {
				t.Errorf("burst %d: %d goroutines, before the watch %d", n, now, goroutines)
			}
		}
		w.Close()
		if after := openSockets(t); after != before {
			t.Errorf("%d sockets, before %d", after, before)
		}
		return nil
	})
}

// TestACloseEndsAWatch while changes come.
func TestACloseEndsAWatch(t *testing.T) {
	inHost(t, func() error {
		lo := loopback(t)
		before := openSockets(t)
		for n := range 20 {
			w, err := new(Link).Watch(nil, NewChanges())
			if err != nil {
				return err
			}
			if err := netlink.LinkSetMTU(lo, 9000+n%2); err != nil {
				return err
			}
			w.Close()
			select {
			case <-w.ended:
			default:
				t.Error("the goroutine still runs")
			}
		}
		if after := openSockets(t); after != before {
			t.Errorf("%d sockets, before %d", after, before)
		}
		return nil
	})
}

// TestWatchTellsWhatIsLost, by name: an address, a carrier, an interface; and what comes.
func TestWatchTellsWhatIsLost(t *testing.T) {
	inHost(t, func() error {
		addDevice(t, "wan")
		addr := netip.MustParseAddr("192.0.2.1")
		prefix := &netlink.Addr{IPNet: ipNet(netip.PrefixFrom(addr, 24))}
		link := state(t, "wan")
		index := link.Attrs().Index
		changes := NewChanges()
		w, err := new(Link).Watch(nil, changes)
		if err != nil {
			return err
		}
		defer w.Close()
		for _, step := range []struct {
			of     string
			change func() error
			lost   bool // else it has come
		}{
			{"up, with a carrier", func() error { return errors.Join(netlink.LinkSetUp(link), netlink.LinkSetUp(state(t, "wan-far"))) }, false},
			{"an address", func() error { return netlink.AddrAdd(link, prefix) }, false},
			{"no address", func() error { return netlink.AddrDel(link, prefix) }, true},
			{"an address again", func() error { return netlink.AddrAdd(link, prefix) }, false},
			{"no carrier", func() error { return netlink.LinkSetDown(state(t, "wan-far")) }, true},
			{"a carrier", func() error { return netlink.LinkSetUp(state(t, "wan-far")) }, false},
			{"down", func() error { return netlink.LinkSetDown(link) }, true},
			{"up", func() error { return netlink.LinkSetUp(link) }, false},
			{"gone", func() error { return netlink.LinkDel(link) }, true},
		} {
			if err := step.change(); err != nil {
				return fmt.Errorf("%s: %w", step.of, err)
			}
			for {
				// Others come with it.
				change := expect(t, changes, step.of)
				if step.lost && change.Lost(index, addr) || !step.lost && change.Came(index) && !change.Lost(index, addr) {
					break
				}
			}
		}
		return nil
	})
}
