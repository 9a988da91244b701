//go:build linux

package test

import (
	"bytes"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"fathom/esp"
	"fathom/pmtud"
	"fathom/test/gateway"
	"fathom/test/netlab"
	"fathom/test/tier"
	"fathom/tunnel/status"
)

// These tests are about packets of the peer's that come from where it is not, or not
// alone: they move nothing, begin no discovery anew, and disturb no traffic.

// elsewhereTrip is the delay of each direction. The pair in use has two round trips to
// answer before another follows it; so much a loaded machine keeps up with.
const elsewhereTrip = 100 * time.Millisecond

// overLink is newUserPair by a family alone.
func overLink(t *testing.T, family outer) *userPair {
	t.Helper()
	l := newUserPair(t, "", elsewhereTrip)
	if family == overIPv6 {
		at := func(i *netlab.Interface) string {
			return net.JoinHostPort(i.Addr6().String(), strconv.Itoa(gateway.Port))
		}
		check(t, l.a.Configure("", gateway.Peer{Gateway: l.b, Endpoint: at(l.link.B)}))
		check(t, l.b.Configure("", gateway.Peer{Gateway: l.a, Endpoint: at(l.link.A)}))
	}
	return l
}

// places returns where a is, and a place of the same family where nobody is.
func (l *userPair) places(family outer) (here, elsewhere netip.Addr) {
	if family == overIPv6 {
		return l.link.A.Addr6(), netip.MustParseAddr("fd01::99")
	}
	return l.link.A.Addr4(), netip.MustParseAddr("10.1.0.99")
}

// isESP reports whether an IP packet carries ESP in UDP.
func isESP(packet []byte) bool {
	header := 20
	if packet[0]>>4 == 6 {
		header = 40
	}
	const udpHeader = 8
	return len(packet) > header+udpHeader && esp.Classify(packet[header+udpHeader:]) == esp.KindESP
}

// standing is what must stay as it is.
type standing struct {
	endpoint          string
	moves, beginnings int
	handshakes        uint64
}

func standingOf(t *testing.T, g *gateway.Gateway) standing {
	t.Helper()
	p := statusOf(t, g).Peers[0]
	s := standing{endpoint: p.Endpoint, moves: strings.Count(g.Log(), "msg=endpoint"), handshakes: p.Handshakes}
	for _, c := range p.PMTUD.History {
		if c.Cause == pmtud.CauseStart.String() {
			s.beginnings++
		}
	}
	return s
}

// undisturbed runs traffic of so many datagrams in both directions beside what disturb
// does, and compares what is before and after.
func (l *userPair) undisturbed(t *testing.T, datagrams int64, disturb func()) {
	t.Helper()
	var before [2]standing
	for i, g := range []*gateway.Gateway{l.a, l.b} {
		await(t, g, func(s *status.Status) bool { return s.Peers[0].PMTUD.State == pmtud.SearchComplete.String() })
		before[i] = standingOf(t, g)
	}
	forth := startStream(t, l.A, l.B, innerB4, 200, 4*time.Millisecond)
	back := startStream(t, l.B, l.A, innerA4, 200, 4*time.Millisecond)
	disturb()
	forth.reach(datagrams)
	back.reach(datagrams)
	for _, f := range []*flow{forth, back} {
		got := f.stop()
		if got.lost > 0 || got.duplicated > 0 {
			t.Errorf("%s: %v", f.name, got)
		}
		t.Logf("%s: %v", f.name, got)
	}
	for i, g := range []*gateway.Gateway{l.a, l.b} {
		if after := standingOf(t, g); after != before[i] {
			t.Errorf("%s: before %+v, after %+v: %+v", g.Name, before[i], after, statusOf(t, g).Peers[0].PathHistory)
		}
		if p := statusOf(t, g).Peers[0].PMTUD; p.PLPMTU != netlab.EthernetMTU {
			t.Errorf("%s: %+v", g.Name, p)
		}
	}
}

func eachFamily(t *testing.T, run func(t *testing.T, family outer)) {
	for name, family := range map[string]outer{"IPv4": overIPv4, "IPv6": overIPv6} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			run(t, family)
		})
	}
}

// elsewhereDatagrams is how many packets of data each direction has.
const elsewhereDatagrams = 4000

// TestAlternatingSources: a middlebox lets every other packet of a's leave from another
// address, as two NATs do that share them. Both lead back to a.
func TestAlternatingSources(t *testing.T) {
	tier.Select(t, tier.Long, tier.EitherWay)
	eachFamily(t, func(t *testing.T, family outer) {
		l := overLink(t, family)
		here, elsewhere := l.places(family)
		up(t, l.a, l.b)
		var strays, answers atomic.Int64
		l.undisturbed(t, elsewhereDatagrams, func() {
			var turn int
			l.link.AtoB.SetFilter(func(_ netlab.Dir, packet []byte) netlab.Verdict {
				if turn++; turn%2 == 0 && isESP(packet) {
					netlab.Readdress(packet, elsewhere, netip.Addr{})
					strays.Add(1)
				}
				return netlab.Pass
			})
			to := elsewhere.AsSlice()
			l.link.BtoA.SetFilter(func(_ netlab.Dir, packet []byte) netlab.Verdict {
				if isESP(packet) && bytes.Contains(packet[:40], to) {
					answers.Add(1)
					netlab.Readdress(packet, netip.Addr{}, here)
				}
				return netlab.Pass
			})
		})
		if n := strays.Load(); n < elsewhereDatagrams/2 {
			t.Errorf("only %d packets came from elsewhere", n)
		}
		if answers.Load() == 0 {
			t.Error("the other place was never challenged")
		}
		t.Logf("%d packets came from elsewhere, %d went there", strays.Load(), answers.Load())
	})
}

// TestReplaysFromElsewhere sends all that b has received once more, from another address.
func TestReplaysFromElsewhere(t *testing.T) {
	tier.Select(t, tier.Long, tier.EitherWay)
	eachFamily(t, func(t *testing.T, family outer) {
		l := overLink(t, family)
		_, elsewhere := l.places(family)
		up(t, l.a, l.b)
		var mu sync.Mutex
		var recorded [][]byte
		l.link.AtoB.SetFilter(func(_ netlab.Dir, packet []byte) netlab.Verdict {
			if isESP(packet) {
				mu.Lock()
				recorded = append(recorded, bytes.Clone(packet))
				mu.Unlock()
			}
			return netlab.Pass
		})
		startStream(t, l.A, l.B, innerB4, 200, time.Millisecond).reach(elsewhereDatagrams).stop()
		l.link.AtoB.SetFilter(nil)
		sent := uint64(0)
		before := statusOf(t, l.b).Peers[0].Dropped["replay"]
		l.undisturbed(t, elsewhereDatagrams, func() {
			send := injector(t, l.A)
			mu.Lock()
			defer mu.Unlock()
			for _, packet := range recorded {
				netlab.Readdress(packet, elsewhere, netip.Addr{})
				check(t, send(packet))
				if sent++; sent%100 == 0 { // so that the socket has room
					await(t, l.b, func(s *status.Status) bool { return s.Peers[0].Dropped["replay"]-before >= sent/2 })
				}
			}
		})
		if n := statusOf(t, l.b).Peers[0].Dropped["replay"] - before; sent < elsewhereDatagrams || n < sent/2 {
			t.Errorf("%d packets were sent again, %d counted as replays", sent, n)
		}
		t.Logf("%d packets were sent again", sent)
	})
}

// TestCopiesThatOvertake: a host with a shorter way to b sends a copy of each packet of
// a's from its own address. They arrive 5 ms before the originals, which so are replays.
func TestCopiesThatOvertake(t *testing.T) {
	tier.Select(t, tier.Long, tier.EitherWay)
	eachFamily(t, func(t *testing.T, family outer) {
		l := overLink(t, family)
		forger := l.lab.Host("f")
		shorter := netlab.Conditions{Delay: elsewhereTrip - 5*time.Millisecond}
		side := l.lab.UserLink(forger, l.B, netlab.UserLinkConfig{
			AddrA: netlab.Prefixes("10.3.0.1/24", "fd03::1/64"), AddrB: netlab.Prefixes("10.3.0.2/24", "fd03::2/64"),
			AtoB: shorter, BtoA: shorter, Seed: 2,
		})
		forger.DefaultVia(side.B.Addrs()...)
		from := side.A.Addr4()
		if family == overIPv6 {
			from = side.A.Addr6()
		}
		up(t, l.a, l.b)
		send := injector(t, forger)
		copies := make(chan []byte, 1000)
		var ended sync.WaitGroup
		var sent atomic.Int64
		ended.Go(func() {
			for packet := range copies {
				netlab.Readdress(packet, from, netip.Addr{})
				if send(packet) == nil {
					sent.Add(1)
				}
			}
		})
		before := statusOf(t, l.b).Peers[0].Dropped["replay"]
		l.undisturbed(t, elsewhereDatagrams, func() {
			l.link.AtoB.SetFilter(func(_ netlab.Dir, packet []byte) netlab.Verdict {
				if isESP(packet) {
					select {
					case copies <- bytes.Clone(packet):
					default: // a copy less
					}
				}
				return netlab.Pass
			})
		})
		check(t, l.a.Stop())
		l.link.Close() // the filter is not called any more
		close(copies)
		ended.Wait()
		replays := int64(statusOf(t, l.b).Peers[0].Dropped["replay"] - before)
		if n := sent.Load(); n < elsewhereDatagrams || replays < n/2 {
			t.Errorf("%d copies, %d packets were replays", n, replays)
		}
		t.Logf("%d copies; %d packets were replays", sent.Load(), replays)
	})
}

// injector returns a function by which a host sends whole IP packets.
func injector(t *testing.T, on *netlab.Host) func(packet []byte) error {
	t.Helper()
	var v4, v6 int
	check(t, on.Do(func() (err error) {
		if v4, err = rawSocket(); err != nil {
			return err
		}
		v6, err = unix.Socket(unix.AF_INET6, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_RAW)
		return err
	}))
	t.Cleanup(func() { unix.Close(v4); unix.Close(v6) })
	return func(packet []byte) error {
		if packet[0]>>4 == 6 {
			return unix.Sendto(v6, packet, 0, &unix.SockaddrInet6{Addr: [16]byte(packet[24:40])})
		}
		return unix.Sendto(v4, packet, 0, &unix.SockaddrInet4{Addr: [4]byte(packet[16:20])})
	}
}
