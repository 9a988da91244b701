//go:build linux

package test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"fathom/esp"
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
	// flowTOS marks the outer packets of the flows (AF11), and probes while those flow.
	flowTOS = 0x28
	// flowSize is the size of a flow's inner packets, which do not fit the narrow way.
	flowSize = 1429
	// ipv4UDPHeaders are in front of a datagram's payload, in bytes.
	ipv4UDPHeaders = 20 + 8
)

// flowLength is that of their outer packets, where they go as a whole.
var flowLength = esp.OuterOverhead(false) + esp.PacketSize(flowSize)

// narrowWAN watches a way of narrowMTU.
type narrowWAN struct {
	tooLong [2]atomic.Int64 // packets of a flow that are lost for their size, by direction
	carried [2]atomic.Int64 // those that fit
	probes  atomic.Int64    // as long as the packets of the flows, before there are any
	flows   atomic.Bool     // there are
}

func (n *narrowWAN) filter(dir netlab.Dir, packet []byte) netlab.Verdict {
	switch {
	case packet[0]>>4 == 4 && len(packet) == flowLength && !n.flows.Load():
		n.probes.Add(1)
	case packet[0]>>4 == 4 && packet[1] == flowTOS && len(packet) == flowLength:
		n.tooLong[dir].Add(1)
	case packet[0]>>4 == 4 && packet[1] == flowTOS && len(packet) <= narrowMTU:
		n.carried[dir].Add(1)
	}
	return netlab.Pass
}

// markedFlow starts a flow whose datagrams do not fit the narrow way as a whole.
func markedFlow(t testing.TB, from, to *netlab.Host, address string) *flow {
	t.Helper()
	return startFlow(t, from, to, address, flowSize-ipv4UDPHeaders, 5*time.Millisecond, underWay, func(socket int) {
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

// nearRoundTrips is how soon after a switch a suspicion may be drawn from it.
const nearRoundTrips = 10

// switches is what an end says of its changes of path in a run.
type switches struct {
	moves   int
	strange []string // those to a pair that the host does not have, or of a size not yet known
	drawn   []string // black holes that were suspected soon after a switch
	others  int      // those that were suspected at other times
}

// switchesOf reads them. known is when all sizes were.
func (w *dualWAN) switchesOf(t *testing.T, g *gateway.Gateway, known time.Time) (s switches) {
	t.Helper()
	p := statusOf(t, g).Peers[0]
	for _, m := range p.PathHistory {
		s.moves++
		own := func(i int) bool {
			on := w.wans[i].A
			return m.To.Interface == on.Name() && m.To.Local == on.Addr4().String()
		}
		if g == w.a && !own(0) && !own(1) {
			s.strange = append(s.strange, fmt.Sprintf("to %+v, %s", m.To, m.Cause))
		}
	}
	for _, c := range p.PMTUD.History {
		switch {
		case c.Cause == "start" && c.At.After(known):
			s.strange = append(s.strange, fmt.Sprintf("with %d bytes, %v", c.To, p.PMTUD.History))
		case c.Cause == "black hole" && slices.ContainsFunc(p.PathHistory, func(m status.PathMove) bool {
			since := c.At.Sub(m.At)
			return m.At.After(known) && since >= 0 && since < nearRoundTrips*2*failoverTrip
		}):
			s.drawn = append(s.drawn, fmt.Sprint(c.At.Format("15:04:05.000"), p.PMTUD.History, p.PathHistory))
		case c.Cause == "black hole":
			s.others++
		}
	}
	return s
}

// TestSwitchesBetweenPathsOfDifferentSizes: the first uplink fails, comes back and is
// returned to, and goes down. No packet of data is sent that does not fit, in either
// direction, and the new size is known at once.
//
// Nobody takes what is lost on the way for a black hole. That holds without exception
// in virtual time (package tunnel). Here a daemon that gets no CPU leaves requests
// without answer for so long that this is a sign, after a switch or at any time; but
// what a switch leads to by itself, it leads to in most runs.
func TestSwitchesBetweenPathsOfDifferentSizes(t *testing.T) {
	tier.Select(t, tier.Long, tier.EitherWay)
	t.Parallel() // it waits for most of the time
	var mu sync.Mutex
	var all []switches
	t.Run("runs", func(t *testing.T) {
		for i := range failoverRuns() {
			t.Run(fmt.Sprint(i), func(t *testing.T) {
				t.Parallel()
				ends := switchSizes(t)
				mu.Lock()
				all = append(all, ends[:]...)
				mu.Unlock()
			})
		}
	})
	moves, drawn, others := 0, 0, 0
	for _, s := range all {
		moves, others = moves+s.moves, others+s.others
		if len(s.drawn) > 0 {
			drawn++
			t.Logf("suspected soon after a switch: %v", s.drawn)
		}
	}
	tier.Figure(t, "%d moves between paths of 1500 and %d bytes at the ends of %d runs: a black hole suspected soon after one at %d ends, %d times otherwise",
		moves, narrowPLPMTU, len(all)/2, drawn, others)
	if 2*drawn > len(all) {
		t.Errorf("at %d of %d ends a switch is taken for a black hole", drawn, len(all))
	}
}

func switchSizes(t *testing.T) (ends [2]switches) {
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
	gateways := [2]*gateway.Gateway{w.a, w.b}
	for _, g := range gateways {
		await(t, g, func(s *status.Status) bool {
			return slices.ContainsFunc(s.Peers[0].Paths, func(p status.Path) bool { return !p.InUse && p.PLPMTU == narrowPLPMTU })
		})
	}
	narrow.flows.Store(true)
	if n := narrow.probes.Load(); n > 0 {
		t.Fatalf("%d probes are as long as the packets of the flows", n)
	}
	forth, back := markedFlow(t, w.A, w.B, innerB4), markedFlow(t, w.B, w.A, innerA4)
	more := func() {
		t.Helper()
		f, b := forth.arrived.Load()+100, back.arrived.Load()+100
		eventually(t, "the flows go on", func() bool { return forth.arrived.Load() >= f && back.arrived.Load() >= b })
	}
	// goes waits until both ends have gone over to an uplink, and have sent by it.
	goes := func(uplink, plpmtu int) {
		t.Helper()
		await(t, w.b, func(s *status.Status) bool { return s.Peers[0].Endpoint == w.at(uplink) })
		exact(t, w.a, plpmtu)
		exact(t, w.b, plpmtu)
		more()
		for i, g := range gateways {
			if n := narrow.carried[i].Load(); uplink == 1 && n == 0 {
				t.Errorf("nothing was carried from %s", g.Name)
			}
		}
	}
	more()
	known := time.Now()
	w.silence(0, netlab.AtoB, netlab.BtoA)
	goes(1, narrowPLPMTU)
	w.wans[0].SetFilter(w.ownOnly(0))
	goes(0, 1500)
	w.wans[0].A.Down()
	goes(1, narrowPLPMTU)
	for i, g := range gateways {
		ends[i] = w.switchesOf(t, g, known)
		if n := narrow.tooLong[i].Load(); n > 0 {
			t.Errorf("%d packets from %s were too long: %v", n, g.Name, statusOf(t, g).Peers[0].PathHistory)
		}
		if len(ends[i].strange) > 0 {
			t.Errorf("%s moved: %s", g.Name, strings.Join(ends[i].strange, "; "))
		}
	}
	forth.stop()
	back.stop()
	check(t, w.a.Stop())
	check(t, w.b.Stop())
	return ends
}
