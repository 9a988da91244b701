//go:build linux

package test

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"fathom/test/gateway"
	"fathom/test/netlab"
	"fathom/test/netlab/labtest"
	"fathom/test/tier"
)

// TestASlowPeerHoldsUpNobody floods a peer behind an interface of 5 Mbit/s, whose
// queue is deep, with four times as much. Another peer of the same hub keeps its
// throughput and its round trips, and loses nothing. A TCP connection to the slow
// peer has all that its interface carries, and is told by marks to send no more.
func TestASlowPeerHoldsUpNobody(t *testing.T) {
	tier.Select(t, tier.Measures, tier.EitherWay)
	const (
		rate     = 5_000_000 // bits a second
		fastRate = 300_000_000
		rounds   = 3
		chunk    = 10 << 20              // bytes of a measurement
		most     = 50 * time.Millisecond // a tenth of what waits for the slow peer
	)
	lab := labtest.New(t)
	hub := lab.Host("hub")
	h := newGateway(t, hub, "10.77.0.1/24")
	var links []*netlab.Link
	var spokes []*gateway.Gateway
	var peers []gateway.Peer
	for i, name := range []string{"fast", "slow"} {
		link := lab.Connect(hub, lab.Host(name), netlab.LinkConfig{
			AddrA:   netlab.Prefixes(fmt.Sprintf("10.%d.0.1/24", i+1)),
			AddrB:   netlab.Prefixes(fmt.Sprintf("10.%d.0.2/24", i+1)),
			Offload: true})
		g := newGateway(t, link.B.Host(), fmt.Sprintf("10.77.0.%d/24", i+2))
		check(t, g.Configure("", gateway.Peer{Gateway: h, Endpoint: fmt.Sprintf("%s:%d", link.A.Addr4(), gateway.Port)}))
		links, spokes = append(links, link), append(spokes, g)
		peers = append(peers, gateway.Peer{Gateway: g, Endpoint: fmt.Sprintf("%s:%d", link.B.Addr4(), gateway.Port)})
	}
	fast, slow := spokes[0], spokes[1]
	check(t, h.Configure("", peers...))
	up(t, h, fast, slow)
	exact(t, h, 1500)
	links[0].A.LimitRate(fastRate, fastRate/8)
	links[1].A.LimitRate(rate, 4*rate/8)
	droppedFor := func(g *gateway.Gateway) map[string]uint64 {
		for _, p := range statusOf(t, h).Peers {
			if p.Name == g.Name {
				return p.Dropped
			}
		}
		return nil
	}

	for _, host := range []*netlab.Host{hub, slow.Host} {
		host.Sysctl("net.ipv4.tcp_ecn", "1")
	}
	client, server := connect(t, hub, slow.Host, "10.77.0.3")
	useCubic(t, client)
	flood := floodTo(t, hub, "10.77.0.3:9", 1200, 4*rate)
	const fills = 4 * rate / 8 / 2 // bytes of the flood: half a second, more than a socket holds
	late := func() time.Duration {
		took := echoes(t, hub, fast.Host, "10.77.0.2", 200, 2*time.Millisecond)
		return took[len(took)*99/100]
	}
	data := transferring(t, hub, fast.Host, "10.77.0.2")
	speed := func() (bitsPerSecond float64) {
		began := time.Now()
		data.more(chunk)
		return chunk * 8 / time.Since(began).Seconds()
	}
	speed()
	beside := func(measure func()) {
		flood.on.Store(true)
		defer flood.on.Store(false)
		for want := flood.sent.Load() + fills; flood.sent.Load() < want; {
			time.Sleep(time.Millisecond)
		}
		measure()
	}
	// What holds up others does so every time, and what else the machine does, not.
	const tries = 3
	var shares []float64
	share := 0.0
	for try := 0; try < tries && share < 0.8; try++ {
		shares = nil
		for range rounds {
			alone := speed()
			beside(func() { shares = append(shares, speed()/alone) })
		}
		slices.Sort(shares)
		share = shares[rounds/2]
	}
	data.stop()
	var delays []time.Duration
	delay := most + 1
	for try := 0; try < tries && delay > most; try++ {
		delays = nil
		for range rounds {
			alone := late()
			beside(func() { delays = append(delays, late()-alone) })
		}
		slices.Sort(delays)
		delay = delays[rounds/2]
	}
	tier.Figure(t, "beside a slow peer another has %.2f of its throughput (%.2f), and a p99 that is %v later (%v)", share, shares, delay, delays)
	if share < 0.8 || delay > most {
		t.Errorf("the other peer has %.2f of its throughput, and a p99 that is %v later", share, delay)
	}

	own := transferOver(t, client, server)
	own.more(rate / 16)
	began := time.Now()
	own.more(rate / 8)
	reached := rate / time.Since(began).Seconds()
	marks := kernelCount(t, slow.Host, "IpExt", "InCEPkts")
	tier.Figure(t, "TCP to the slow peer beside it: %.1f of %d Mbit/s, %d packets marked, dropped %v", reached/1e6, rate/1_000_000, marks, droppedFor(slow))
	if reached < 0.7*rate {
		t.Errorf("TCP to the slow peer reaches %.1f Mbit/s", reached/1e6)
	}
	if marks == 0 {
		t.Error("no packet is marked")
	}
	links[1].A.LimitRate(fastRate, fastRate/8) // packets under way arrive soon
	own.stop()
}

// flood is datagrams that are sent however few of them arrive.
type flood struct {
	on   atomic.Bool
	sent atomic.Int64 // bytes
}

// floodTo sends at a rate in bits a second while the flood is on, until the test ends.
func floodTo(t *testing.T, from *netlab.Host, to string, size, rate int) *flood {
	conn, err := from.Dial("udp", to)
	check(t, err)
	f := new(flood)
	quit := make(chan struct{})
	var sending sync.WaitGroup
	t.Cleanup(func() { close(quit); sending.Wait(); conn.Close() })
	sending.Go(func() {
		b := make([]byte, size)
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		last := time.Now()
		for credit := 0.0; ; {
			select {
			case <-tick.C:
			case <-quit:
				return
			}
			now := time.Now()
			credit = min(credit+now.Sub(last).Seconds()*float64(rate)/8, 64<<10)
			last = now
			for ; f.on.Load() && credit > float64(size); credit -= float64(size) {
				_, _ = conn.Write(b) // the port is closed there, as ICMP tells
				f.sent.Add(int64(size))
			}
		}
	})
	return f
}
