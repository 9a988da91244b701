//go:build linux

package test

import (
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"fathom/test/gateway"
	"fathom/test/netlab"
	"fathom/test/tier"
	"fathom/tunnel/status"
)

const (
	// narrowMTU is that of the second uplink's way, in bytes; no kernel knows it.
	narrowMTU = 1358
	// narrowPLPMTU is the largest outer packet that fits: they are four bytes apart.
	narrowPLPMTU = narrowMTU &^ 3
	// flowTOS marks the outer packets of the flows (AF11). Probes have none.
	flowTOS = 0x28
)

// narrowWAN watches a way of narrowMTU.
type narrowWAN struct {
	tooLong [2]atomic.Int64 // packets of a flow that are lost for their size, by direction
	carried [2]atomic.Int64 // those that fit
}

func (n *narrowWAN) filter(dir netlab.Dir, packet []byte) netlab.Verdict {
	switch {
	case packet[0]>>4 == 4 && packet[1] == flowTOS && len(packet) > narrowMTU:
		n.tooLong[dir].Add(1)
	case packet[0]>>4 == 4 && packet[1] == flowTOS:
		n.carried[dir].Add(1)
	}
	return netlab.Pass
}

// markedFlow starts a flow whose datagrams do not fit the narrow way as a whole.
func markedFlow(t testing.TB, from, to *netlab.Host, address string) *flow {
	t.Helper()
	return startFlow(t, from, to, address, 1400, 5*time.Millisecond, underWay, func(socket int) {
		check(t, unix.SetsockoptInt(socket, unix.IPPROTO_IP, unix.IP_TOS, flowTOS))
	})
}

// eventually waits for a condition that no status tells.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for began := time.Now(); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Since(began) > within {
			t.Fatalf("not within %v: %s", within, what)
		}
	}
}

// TestSwitchesBetweenPathsOfDifferentSizes: the first uplink fails, comes back and is
// returned to, and goes down. No packet of data is sent that does not fit, in either
// direction, and nobody takes the lost ones for a black hole.
func TestSwitchesBetweenPathsOfDifferentSizes(t *testing.T) {
	tier.Select(t, tier.Long, tier.EitherWay)
	for i := range failoverRuns() {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			switchSizes(t)
		})
	}
}

func switchSizes(t *testing.T) {
	w, narrow := newDualWAN(t, failoverTrip), new(narrowWAN)
	check(t, w.a.Configure(w.uplinks(t), gateway.Peer{Gateway: w.b, Endpoint: w.there()}))
	check(t, w.b.Configure("", gateway.Peer{Gateway: w.a}))
	w.wans[1].Update(func(c *conditions) { c.MTU = narrowMTU })
	own := w.ownOnly(1)
	w.wans[1].SetFilter(func(dir netlab.Dir, packet []byte) netlab.Verdict {
		if own(dir, packet) == netlab.Drop {
			return netlab.Drop
		}
		return narrow.filter(dir, packet)
	})
	up(t, w.b, w.a)
	exact(t, w.a, 1500)
	exact(t, w.b, 1500)
	forth, back := markedFlow(t, w.A, w.B, innerB4), markedFlow(t, w.B, w.A, innerA4)
	more := func() {
		t.Helper()
		f, b := forth.arrived.Load()+100, back.arrived.Load()+100
		eventually(t, "the flows go on", func() bool { return forth.arrived.Load() >= f && back.arrived.Load() >= b })
	}
	// goes waits until both ends have gone over to an uplink, and sees that all is well.
	goes := func(uplink, plpmtu int) {
		t.Helper()
		await(t, w.b, func(s *status.Status) bool { return s.Peers[0].Endpoint == w.at(uplink) })
		exact(t, w.a, plpmtu)
		exact(t, w.b, plpmtu)
		more()
		for i, g := range []*gateway.Gateway{w.a, w.b} {
			if n := narrow.tooLong[i].Load(); n > 0 {
				t.Errorf("%d packets from %s were too long", n, g.Name)
			}
			history := statusOf(t, g).Peers[0].PMTUD.History
			if slices.ContainsFunc(history, func(c status.PLPMTUChange) bool { return c.Cause == "black hole" }) {
				t.Errorf("%s suspects a black hole: %v", g.Name, history)
			}
			if last := history[len(history)-1]; last.Cause != "another path" || last.To != plpmtu {
				t.Errorf("%s did not know the size at once: %v", g.Name, history)
			}
			if n := narrow.carried[i].Load(); uplink == 1 && n == 0 {
				t.Errorf("nothing was carried from %s", g.Name)
			}
		}
	}
	for _, g := range []*gateway.Gateway{w.a, w.b} {
		await(t, g, func(s *status.Status) bool {
			return slices.ContainsFunc(s.Peers[0].Paths, func(p status.Path) bool { return !p.InUse && p.PLPMTU == narrowPLPMTU })
		})
	}
	more() // the search has ended
	w.silence(0, netlab.AtoB, netlab.BtoA)
	goes(1, narrowPLPMTU)
	w.wans[0].SetFilter(w.ownOnly(0))
	goes(0, 1500)
	w.wans[0].A.Down()
	goes(1, narrowPLPMTU)
	forth.stop()
	back.stop()
	check(t, w.a.Stop())
	check(t, w.b.Stop())
}
