//go:build linux

package test

import (
	"io"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"fathom/test/netlab"
	"fathom/test/tier"
)

// never is a gap that no run may have, the machine's own stalls deducted: a TCP
// whose segments all vanish sends again after 0.2, 0.6 and 1.4 seconds.
const never = time.Second

// gapAround sends at a steady rate, lets changes happen amid the transfer, one
// after the other, and returns the longest time that the receiver was without a
// byte from the first on. The next change comes, or the end, when as much has
// arrived as is sent in half a second (alive). It also ends when nothing has
// arrived for as long as patience.
//
// Datagrams beside the tunnel, which no change concerns, tell how long the
// machine itself stalled within a gap. That is deducted.
func (l *longPath) gapAround(t *testing.T, from, to *netlab.Host, address string, patience time.Duration, changes ...func()) (gap time.Duration, alive bool) {
	t.Helper()
	const rate = 4 << 20
	client, server := connect(t, from, to, address)
	defer client.Close()
	go io.Copy(onlyWriter{paced{client, rate}}, zeros{})
	buffer := make([]byte, 64<<10)
	received := 0
	read := func() bool {
		check(t, server.SetReadDeadline(time.Now().Add(patience)))
		n, err := server.Read(buffer)
		received += n
		return err == nil
	}
	for received < rate/4 {
		if !read() {
			t.Fatal("the transfer stalls before the change")
		}
	}
	outside := l.beside(t)
	inside := []time.Time{time.Now()}
	alive = true
	for _, change := range changes {
		var changed atomic.Bool
		var changing sync.WaitGroup
		changing.Go(func() { change(); changed.Store(true) })
		for received = 0; alive && received < rate/2; {
			if !changed.Load() {
				received = 0 // what comes before the change shows nothing
			}
			alive = read()
			inside = append(inside, time.Now())
		}
		changing.Wait()
	}
	return longestGap(inside, outside()), alive
}

// longestGap returns the longest time between two arrivals, less the longest
// time without a datagram beside them.
func longestGap(inside, outside []time.Time) (longest time.Duration) {
	for i := range inside[1:] {
		from, to := inside[i], inside[i+1]
		var stalled time.Duration
		for j := range outside[1:] {
			if outside[j+1].After(from) && outside[j].Before(to) {
				stalled = max(stalled, min(to.Sub(from), outside[j+1].Sub(outside[j]))-besideEvery)
			}
		}
		longest = max(longest, to.Sub(from)-stalled)
	}
	return longest
}

// besideEvery is the time between two datagrams of beside.
const besideEvery = 5 * time.Millisecond

// beside sends small datagrams from A to B beside the tunnel until the returned
// function is called, and returns when they have arrived: when it began, when
// it ended, and in between.
func (l *longPath) beside(t *testing.T) (stop func() []time.Time) {
	t.Helper()
	receiver, err := l.B.ListenPacket("udp", net.JoinHostPort(l.right.B.Addr4().String(), "0"))
	check(t, err)
	sender, err := l.A.Dial("udp", receiver.LocalAddr().String())
	check(t, err)
	var quit atomic.Bool
	var loops sync.WaitGroup
	arrived := []time.Time{time.Now()}
	loops.Go(func() {
		for !quit.Load() {
			sender.Write([]byte{0})
			time.Sleep(besideEvery)
		}
	})
	loops.Go(func() {
		b := make([]byte, 1)
		for {
			if _, _, err := receiver.ReadFrom(b); err != nil {
				return
			}
			arrived = append(arrived, time.Now())
		}
	})
	return func() []time.Time {
		quit.Store(true)
		receiver.SetReadDeadline(time.Now())
		loops.Wait()
		sender.Close()
		receiver.Close()
		return append(arrived, time.Now())
	}
}

// doubtful is a stall of the machine that may make an end doubt its path: several
// answers in a row have not come in time.
const doubtful = 50 * time.Millisecond

// stalls returns for how long the machine stood still, at most and in all, by what
// beside has returned.
func stalls(arrived []time.Time) (longest, all time.Duration) {
	for i := range arrived[1:] {
		if late := arrived[i+1].Sub(arrived[i]) - besideEvery; late > besideEvery {
			longest, all = max(longest, late), all+late
		}
	}
	return longest, all
}

// zeros is an endless reader.
type zeros struct{}

func (zeros) Read(b []byte) (int, error) { return len(b), nil }

// TestGapAroundAShrink measures the longest gap that the receiver's application
// sees when the path shrinks at 20 ms RTT, and shows that the test can fail:
// with discovery and carrying switched off the same transfer stalls.
func TestGapAroundAShrink(t *testing.T) {
	tier.Select(t, tier.Measures, tier.Long)
	const rtt = 20 * time.Millisecond
	runs := 3
	if tier.Full() {
		runs = 10
	}
	for _, test := range []struct {
		name          string
		mtu           int
		icmp          bool
		median, worst time.Duration
	}{
		{"1400 with ICMP", 1400, true, 3 * rtt, time.Second},
		{"1000 with ICMP", 1000, true, 3 * rtt, time.Second},
		{"1400 in a black hole", 1400, false, 250 * time.Millisecond, 500 * time.Millisecond},
		{"1000 in a black hole", 1000, false, 250 * time.Millisecond, 500 * time.Millisecond},
	} {
		t.Run(test.name, func(t *testing.T) {
			var gaps []time.Duration
			l := newDelayedPath(t, "", "", rtt)
			up(t, l.a, l.b)
			for _, r := range []*netlab.Host{l.R, l.S} {
				r.CutPTB(!test.icmp)
			}
			for range runs {
				exact(t, l.a, 1500)
				exact(t, l.b, 1500)
				gap, alive := l.gapAround(t, l.A, l.B, innerB4, within, func() { l.middle.SetMTU(test.mtu) })
				if !alive {
					t.Fatalf("the transfer has stalled: %+v", statusOf(t, l.a).Peers[0])
				}
				gaps = append(gaps, gap)
				l.middle.SetMTU(1500)
				l.searchNow(t)
			}
			slices.Sort(gaps)
			tier.Figure(t, "%s: longest gap in %d runs: median %v (%.1f RTT, meant to be at most %v), worst %v (%v)", test.name, runs,
				gaps[runs/2].Round(time.Millisecond), float64(gaps[runs/2])/float64(rtt), test.median, gaps[runs-1].Round(time.Millisecond), test.worst)
			// Twice what it is meant to be is less than TCP's first timeout with
			// ICMP, and less than its second without.
			if gaps[runs-1] > never || gaps[runs/2] > 2*test.median {
				t.Errorf("%v", gaps)
			}
		})
	}
	t.Run("switched off, it stalls", func(t *testing.T) {
		l := newDelayedPath(t, `oversize = "drop"`, `probing = "off"`, rtt)
		up(t, l.a, l.b)
		l.R.CutPTB(true)
		l.S.CutPTB(true)
		gap, alive := l.gapAround(t, l.A, l.B, innerB4, 3*never, func() { l.middle.SetMTU(1400) })
		t.Logf("longest gap: %v", gap.Round(time.Millisecond))
		if alive || gap < 2*never {
			t.Errorf("the transfer lives on without discovery: gap %v", gap)
		}
	})
}
