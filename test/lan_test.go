//go:build linux

package test

import (
	"fmt"
	"net"
	"slices"
	"testing"
	"time"

	"fathom/esp"
	"fathom/test/gateway"
	"fathom/test/netlab"
	"fathom/test/tier"
	"fathom/tunnel/status"
)

// The tests here have hosts behind both ends, x behind A and y behind B, whose
// firewalls lose PTBs. Nothing tells them except the packets of their
// own connections.

// newLANs builds the long path with such hosts, whose links have segmentation
// offload or not. Its routers are silent.
func newLANs(t *testing.T, offload bool, rtt time.Duration) (l *longPath, x, y *netlab.Host) {
	t.Helper()
	l = newLongPathOver(t, rtt)
	x, y, _ = l.networksBehind(t, offload, offload)
	for _, h := range []*netlab.Host{x, y} {
		h.LosePTB(true)
	}
	for _, r := range []*netlab.Host{l.R, l.S} {
		r.CutPTB(true)
	}
	return l, x, y
}

// ways are the directions between the hosts behind the ends, by both families.
func ways(l *longPath, x, y *netlab.Host) []way {
	return []way{
		{"IPv4 from x to y", x, y, l.a, behindB4},
		{"IPv6 from x to y", x, y, l.a, behindB6},
		{"IPv4 from y to x", y, x, l.b, behindA4},
		{"IPv6 from y to x", y, x, l.b, behindA6},
	}
}

type way struct {
	name     string
	from, to *netlab.Host
	near     *gateway.Gateway // of the sender
	address  string
}

// TestNoGapBetweenNetworks lets the path shrink again and again, and grow back,
// during one transfer between hosts behind the two ends.
func TestNoGapBetweenNetworks(t *testing.T) {
	tier.Select(t, tier.Measures, tier.Long)
	// The gaps are meant to be no longer than that. A run in which TCP has to wait
	// for its timer, 200 ms and a round trip, is not the rule.
	const median, worst = 250 * time.Millisecond, 500 * time.Millisecond
	runs := 1
	if tier.Full() {
		runs = 10
	}
	for _, offload := range []bool{true, false} {
		l, x, y := newLANs(t, offload, 20*time.Millisecond)
		up(t, l.a, l.b)
		for i, way := range ways(l, x, y) {
			if half := i == 0 || i == 3; !tier.Full() && half != offload {
				continue // each of the two ways by each family, once
			}
			t.Run(fmt.Sprintf("offload %v, %s", offload, way.name), func(t *testing.T) {
				var gaps []time.Duration
				for range runs {
					exact(t, l.a, 1500)
					exact(t, l.b, 1500)
					var changes []func()
					for _, mtu := range []int{1400, 1280, 1000, 576, 1500} {
						changes = append(changes, func() { l.middle.SetMTU(mtu) })
					}
					gap, alive := l.gapAround(t, way.from, way.to, way.address, within, changes...)
					if !alive {
						t.Fatalf("the transfer has stalled: %+v", statusOf(t, way.near).Peers[0])
					}
					gaps = append(gaps, gap)
					l.searchNow(t)
				}
				slices.Sort(gaps)
				tier.Figure(t, "offload %v, %s, 1500 to 1400, 1280, 1000, 576 and back: longest gap in %d runs: median %v (meant to be at most %v), worst %v (%v)", offload, way.name, runs,
					gaps[runs/2].Round(time.Millisecond), median, gaps[runs-1].Round(time.Millisecond), worst)
				if gaps[runs-1] > never || runs > 1 && (gaps[runs/2] > median || gaps[runs-1] > worst) {
					t.Errorf("%v", gaps)
				}
			})
		}
	}
}

// TestTheFirstOfEverySizeArrives: forwarded datagrams that must not be
// fragmented, one of each size, over a path that carries some of the sizes, and
// over one that carries none; then larger ones, once the networks of the hosts
// have them.
func TestTheFirstOfEverySizeArrives(t *testing.T) {
	tier.Select(t)
	const smallest, largest, jumbo = 1200, 1500, 9000 // bytes of the IP packet
	var sizes []int
	for size := smallest; size <= largest; size++ {
		sizes = append(sizes, size)
	}
	l, x, y := newLANs(t, false, 0)
	up(t, l.a, l.b)
	exact(t, l.a, 1500)
	exact(t, l.b, 1500)
	for _, mtu := range []int{1500, 1000} {
		// Data of the largest size makes the tunnel notice.
		forth, back := transferring(t, x, y, behindB4), transferring(t, y, x, behindA4)
		l.narrow(mtu)
		exact(t, l.a, mtu)
		exact(t, l.b, mtu)
		forth.stop()
		back.stop()
		arriveAtOnce(t, l, x, y, sizes)
	}
	for _, i := range []*netlab.Interface{l.A.Interface("eth1"), x.Interface("eth0"), l.B.Interface("eth1"), y.Interface("eth0")} {
		i.SetMTU(jumbo)
	}
	for _, g := range []*gateway.Gateway{l.a, l.b} {
		await(t, g, func(s *status.Status) bool { return s.MTU == jumbo })
	}
	arriveAtOnce(t, l, x, y, []int{largest + 1, 4000, jumbo})
}

// arriveAtOnce sends one datagram of each size each way, and wants it there.
func arriveAtOnce(t *testing.T, l *longPath, x, y *netlab.Host, sizes []int) {
	t.Helper()
	for _, way := range ways(l, x, y) {
		receiver, err := way.to.ListenPacket("udp", net.JoinHostPort(way.address, "0"))
		check(t, err)
		defer receiver.Close()
		sender, err := way.from.Dial("udp", receiver.LocalAddr().String())
		check(t, err)
		defer sender.Close()
		raw, err := sender.(*net.UDPConn).SyscallConn()
		check(t, err)
		check(t, raw.Control(func(fd uintptr) { setDF(int(fd)) }))
		headers := 20 + 8
		if net.ParseIP(way.address).To4() == nil {
			headers = 40 + 8
		}
		b := make([]byte, 65536)
		for _, size := range sizes {
			_, err := sender.Write(b[:size-headers])
			check(t, err)
			check(t, receiver.SetReadDeadline(time.Now().Add(within)))
			if n, _, err := receiver.ReadFrom(b); err != nil || n != size-headers {
				t.Errorf("%s: the first datagram of %d bytes does not arrive: %d, %v", way.name, size, n, err)
				break
			}
		}
	}
}

// TestNewConnectionsFit counts what connections that have begun after the
// search make the tunnel do to their packets: next to nothing, both between the
// ends and between the hosts behind them.
func TestNewConnectionsFit(t *testing.T) {
	tier.Select(t)
	t.Parallel() // it counts, and measures nothing
	for _, test := range []struct {
		name        string
		there, back int // MTU of the path from a to b, and from b to a
		extra       string
		behind      bool
	}{
		{"behind the ends", 1500, 1500, "", true},
		{"behind the ends, over a narrow path", 1400, 1400, "", true},
		{"behind the ends, over the narrowest path", 576, 576, "", true},
		{"behind the ends, over an asymmetric path", 1400, 1320, "", true},
		{"of the ends", 1400, 1400, "", false},
		{"of the ends, over the narrowest path", 576, 576, "", false},
		{"of the ends, by the routes alone", 1400, 1400, "mss_clamp = false", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			l, x, y := newLANs(t, false, 0)
			if !test.behind {
				l.configure(t, overIPv4, test.extra, "")
			}
			l.R.DropLonger(test.there, l.middle.A)
			l.S.DropLonger(test.back, l.middle.B)
			up(t, l.a, l.b)
			for g, plpmtu := range map[*gateway.Gateway]int{l.a: test.there, l.b: test.back} {
				exact(t, g, plpmtu)
				await(t, g, func(s *status.Status) bool { return s.Peers[0].PMTUD.HostMTU == esp.InnerMTU(false, plpmtu) })
			}
			hosts := []way{
				{"IPv4 from a to b", l.A, l.B, l.a, innerB4}, {"IPv6 from a to b", l.A, l.B, l.a, innerB6},
				{"IPv4 from b to a", l.B, l.A, l.b, innerA4}, {"IPv6 from b to a", l.B, l.A, l.b, innerA6},
			}
			if test.behind {
				hosts = ways(l, x, y)
			}
			for _, way := range hosts {
				// A machine that stalls makes an end doubt its path for a moment, and that
				// connection did not begin after the search.
				var before, after status.Peer
				for deadline := time.Now().Add(within); ; {
					before = statusOf(t, way.near).Peers[0]
					bulk(t, way.from, way.to, way.address, 4<<20)
					after = statusOf(t, way.near).Peers[0]
					if slices.Equal(before.PMTUD.History, after.PMTUD.History) || time.Now().After(deadline) {
						break
					}
					t.Logf("%s: the PLPMTU has changed meanwhile: %+v", way.name, after.PMTUD.History)
					exact(t, way.near, before.PMTUD.PLPMTU)
				}
				packets := after.TxPackets - before.TxPackets
				changed := after.Surgery.TCPCut + after.Surgery.Fragmented + after.Surgery.TunnelFragments -
					before.Surgery.TCPCut - before.Surgery.Fragmented - before.Surgery.TunnelFragments
				t.Logf("%s: %d of %d packets were cut, fragmented or carried in tunnel fragments", way.name, changed, packets)
				if packets < 1000 || changed*100 >= packets {
					t.Errorf("%s: %d of %d packets: %+v", way.name, changed, packets, after.Surgery)
				}
			}
		})
	}
}
