//go:build linux

package main

import (
	"fmt"
	"net"
	"slices"
	"sync"
	"time"
)

// The rate of the slow peer's interface, and of the datagrams that flood it, in bits
// a second.
const slowPeerRate, slowPeerFlood = 5_000_000, 20_000_000

// Columns that targets name.
const share, later = 2, 5

// turns is how often a measurement changes between alone and beside.
const turns = 4

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
		var rates [2]float64
		var trips [2][]float64
		// In turns, for what else the machine does to fall on both.
		for range turns {
			for i, prepare := range []func(*variant) (func(), error){leaveAlone, floodSlowPeer} {
				stop, err := prepare(v)
				if err != nil {
					return nil, err
				}
				time.Sleep(length / turns) // until the flood has filled all there is
				answers, err := ping(v, length/turns)
				if err == nil {
					var bits float64
					bits, err = transferRate(v.flow(), length/turns)
					trips[i], rates[i] = append(trips[i], answers.took...), rates[i]+bits/turns
				}
				stop()
				if err != nil {
					return nil, err
				}
			}
		}
		var late [2]float64
		for i := range trips {
			slices.Sort(trips[i])
			late[i] = quantile(trips[i], 0.99)
		}
		beside, err := newTransfer(v.flow(), "")
		if err != nil {
			return nil, err
		}
		defer beside.stop()
		own, err := transferRate(flow{v.a, v.place.second.host, v.second}, 2*length)
		return []float64{rates[0] / 1e9, rates[1] / 1e9, rates[1] / rates[0], late[0], late[1], late[1] - late[0], own / 1e6}, err
	},
}

// leaveAlone sends nothing to the slow peer.
func leaveAlone(*variant) (stop func(), err error) { return func() {}, nil }

// transferRate returns the bits per second of a stream that has begun a moment ago.
func transferRate(f flow, length time.Duration) (bitsPerSecond float64, err error) {
	t, err := newTransfer(f, "")
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
	sink, err := v.place.second.host.ListenPacket("udp", net.JoinHostPort(v.second, "0"))
	if err != nil {
		return nil, err
	}
	conn, err := dial(v.a, "udp", sink.LocalAddr())
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
