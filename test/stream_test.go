//go:build linux

package test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"fathom/test/netlab"
)

// stream is a flow of numbered UDP datagrams.
type stream struct {
	sent, lost, duplicated int
	reordered              int // datagrams that arrived after a later one
	displaced              int // by how many at most
}

func (s stream) String() string {
	return fmt.Sprintf("%d sent, %d lost, %d duplicated, %d out of order (by at most %d)", s.sent, s.lost, s.duplicated, s.reordered, s.displaced)
}

// flow is a stream in the background.
type flow struct {
	t                testing.TB
	name             string
	receiver         net.PacketConn
	quit             chan struct{}
	sending, reading sync.WaitGroup
	sent, arrived    atomic.Int64 // arrived: without duplicates
	highest          atomic.Int64 // number that has arrived; -1 before

	// Of the two goroutines, until they have ended.
	stream stream
	times  map[uint64]int // how often each has arrived
	err    error
}

// underWay is how many datagrams of a flow may be under way: fewer than fit the
// queue of a device. A full queue would lose some through no fault of the tunnel.
const underWay = 200

// silence is a time after which nothing is under way any more.
const silence = 2 * time.Second

// startStream sends datagrams of the given size every interval, or more slowly
// if the machine is slow, until the flow is stopped.
func startStream(t testing.TB, from, to *netlab.Host, address string, size int, interval time.Duration) *flow {
	t.Helper()
	return startFlow(t, from, to, address, size, interval, underWay)
}

// startFlood is startStream however much is under way.
func startFlood(t testing.TB, from, to *netlab.Host, address string, size int, interval time.Duration) *flow {
	t.Helper()
	return startFlow(t, from, to, address, size, interval, math.MaxInt64)
}

func startFlow(t testing.TB, from, to *netlab.Host, address string, size int, interval time.Duration, underWay int64) *flow {
	t.Helper()
	receiver, err := to.ListenPacket("udp", net.JoinHostPort(address, "0"))
	check(t, err)
	check(t, receiver.(*net.UDPConn).SetReadBuffer(4<<20))
	sender, err := from.Dial("udp", receiver.LocalAddr().String())
	check(t, err)
	t.Cleanup(func() { receiver.Close(); sender.Close() })
	f := &flow{t: t, name: fmt.Sprintf("stream from %s to %s", from, to), receiver: receiver, quit: make(chan struct{}), times: make(map[uint64]int)}
	f.highest.Store(-1)
	f.reading.Go(f.read)
	f.sending.Go(func() {
		b := make([]byte, size)
		last := time.Now() // time when one was sent
		tick := time.NewTicker(interval)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
			case <-f.quit:
				return
			}
			n := f.sent.Load()
			if full := n-f.highest.Load() > underWay; full && time.Since(last) < silence {
				continue
			}
			last = time.Now()
			binary.BigEndian.PutUint64(b, uint64(n))
			if _, f.err = sender.Write(b); f.err != nil {
				return
			}
			f.sent.Add(1)
		}
	})
	return f
}

func (f *flow) read() {
	b := make([]byte, 65536)
	for {
		n, _, err := f.receiver.ReadFrom(b)
		if err != nil {
			return
		}
		number := binary.BigEndian.Uint64(b[:n])
		highest := uint64(max(0, f.highest.Load()))
		if f.times[number]++; f.times[number] == 1 {
			f.arrived.Add(1)
		}
		if number < highest {
			f.stream.reordered++
			f.stream.displaced = max(f.stream.displaced, int(highest-number))
		}
		f.highest.Store(int64(max(highest, number)))
	}
}

// reach waits until n datagrams have been sent in all.
func (f *flow) reach(n int64) *flow {
	f.t.Helper()
	for deadline := time.Now().Add(within); f.sent.Load() < n; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			f.t.Fatalf("%s: %d datagrams sent, %d arrived; %d were to be sent", f.name, f.sent.Load(), f.arrived.Load(), n)
		}
	}
	return f
}

// stop ends the flow when nothing of it is under way any more.
func (f *flow) stop() stream {
	f.t.Helper()
	const duplicates = 100 * time.Millisecond
	close(f.quit)
	f.sending.Wait()
	for seen, since := int64(-1), time.Now(); f.arrived.Load() < f.sent.Load() && time.Since(since) < silence; time.Sleep(time.Millisecond) {
		if n := f.arrived.Load(); n > seen {
			seen, since = n, time.Now()
		}
	}
	f.receiver.SetReadDeadline(time.Now().Add(duplicates))
	f.reading.Wait()
	if f.err != nil && !errors.Is(f.err, os.ErrDeadlineExceeded) {
		f.t.Errorf("%s: %v", f.name, f.err)
	}
	s := f.stream
	s.sent = int(f.sent.Load())
	for _, times := range f.times {
		s.duplicated += times - 1
	}
	s.lost = s.sent - len(f.times)
	return s
}
