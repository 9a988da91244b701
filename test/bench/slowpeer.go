//go:build linux

package main

import (
	"fmt"
	"net"
	"sync"
	"time"
)

// The rate of the slow peer's interface, and of the datagrams that flood it, in bits
// a second.
const slowPeerRate, slowPeerFlood = 5_000_000, 20_000_000

// Columns that targets name.
const share, later = 2, 5

// besideSlowPeer compares what a peer has alone with what it has while another is
// sent more than its interface carries: throughput, and pings without a transfer.
var besideSlowPeer = &load{
	name: fmt.Sprintf("beside a peer that is sent %d Mbit/s of UDP", slowPeerFlood/1_000_000),
	columns: []column{
		{"Gbit/s alone", higher}, {"Gbit/s beside", higher}, {"their ratio", higher},
		{"ms of a ping alone, p99", lower}, {"ms beside, p99", lower}, {"ms later", lower},
		{"Mbit/s of TCP to the slow peer, instead of the flood", higher},
	},
	measure: func(v *variant, length time.Duration) ([]float64, error) {
		figures := make([]float64, 0, 7)
		var rates, trips [2]float64
		for i := range 2 {
			stop := func() {}
			if i > 0 {
				var err error
				if stop, err = floodSlowPeer(v); err != nil {
					return nil, err
				}
				time.Sleep(length / 2) // until it has filled all there is
			}
			idle, err := ping(v, length)
			if err == nil {
				trips[i] = quantile(idle.took, 0.99)
				rates[i], err = transferRate(v, length)
			}
			stop()
			if err != nil {
				return nil, err
			}
		}
		figures = append(figures, rates[0]/1e9, rates[1]/1e9, rates[1]/rates[0], trips[0], trips[1], trips[1]-trips[0])

		beside, err := newTransfer(v, "")
		if err != nil {
			return nil, err
		}
		defer beside.stop()
		slow := *v
		slow.place = &place{a: v.a, b: v.place.slow.host}
		slow.address = v.slow
		bits, err := transferRate(&slow, 2*length)
		return append(figures, bits/1e6), err
	},
}

// transferRate returns the bits per second of a stream that has begun a moment ago.
func transferRate(v *variant, length time.Duration) (bitsPerSecond float64, err error) {
	t, err := newTransfer(v, "")
	if err != nil {
		return 0, err
	}
	defer t.stop()
	time.Sleep(length / 2)
	began := time.Now()
	time.Sleep(length)
	return t.rate(began, time.Now()), nil
}

// floodSlowPeer sends datagrams to the slow peer, which it does not answer, until it
// is stopped.
func floodSlowPeer(v *variant) (stop func(), err error) {
	sink, err := v.place.slow.host.ListenPacket("udp", net.JoinHostPort(v.slow, "0"))
	if err != nil {
		return nil, err
	}
	conn, err := dial(v, "udp", sink.LocalAddr())
	if err != nil {
		sink.Close()
		return nil, err
	}
	quit := make(chan struct{})
	var sending sync.WaitGroup
	sending.Go(func() {
		datagram := make([]byte, 1200)
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		began := time.Now()
		for sent := 0; ; {
			select {
			case <-tick.C:
			case <-quit:
				return
			}
			for due := int(time.Since(began).Seconds() * slowPeerFlood / 8); sent < due; sent += len(datagram) {
				conn.Write(datagram) // what has no room is lost
			}
		}
	})
	return func() {
		close(quit)
		sending.Wait()
		conn.Close()
		sink.Close()
	}, nil
}
