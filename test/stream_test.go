//go:build linux

package test

import (
	"encoding/binary"
	"fmt"
	"math"
	"net"
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
	send             func(number uint64) error
	quit             chan struct{}
	sending, reading sync.WaitGroup
	sent, arrived    atomic.Int64 // arrived: without duplicates
	highest          atomic.Int64 // number that has arrived; -1 before
	trailers         atomic.Int64 // that have arrived

	// Of the two goroutines, until they have ended.
	stream stream
	times  map[uint64]int // how often each has arrived
	err    error
}

// underWay is how many datagrams of a flow may be under way: fewer than fit the
// queue of a device. A full queue would lose some through no fault of the tunnel.
const underWay = 200

// pause is how long a flow that has so many under way waits before it sends one more:
// they may be lost. Until the time limit of a test so few more are under way that they,
// too, fit the queue.
const pause = within / underWay

// trailer is the bit in a number that marks a datagram as sent after the flow's last,
// to see what has become of those before.
const trailer = 1 << 63

// overtaken is how many trailers prove that all datagrams before them have arrived
// or are lost, however slow the machine is. The first would do if the path kept the
// order. One that is overtaken by so many counts as lost.
const overtaken = underWay

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

func startFlow(t testing.TB, from, to *netlab.Host, address string, size int, interval time.Duration, underWay int64, options ...func(socket int)) *flow {
	t.Helper()
	receiver, err := to.ListenPacket("udp", net.JoinHostPort(address, "0"))
	check(t, err)
	check(t, receiver.(*net.UDPConn).SetReadBuffer(4<<20))
	sender, err := from.Dial("udp", receiver.LocalAddr().String())
	check(t, err)
	t.Cleanup(func() { receiver.Close(); sender.Close() })
	raw, err := sender.(*net.UDPConn).SyscallConn()
	check(t, err)
	check(t, raw.Control(func(fd uintptr) {
		for _, set := range options {
			set(int(fd))
		}
	}))
	f := &flow{t: t, name: fmt.Sprintf("stream from %s to %s", from, to), receiver: receiver, quit: make(chan struct{}), times: make(map[uint64]int)}
	f.highest.Store(-1)
	f.reading.Go(f.read)
	b := make([]byte, size)
	f.send = func(number uint64) error {
		binary.BigEndian.PutUint64(b, number)
		_, err := sender.Write(b)
		return err
	}
	f.sending.Go(func() {
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
			if full := n-f.highest.Load() > underWay; full && time.Since(last) < pause {
				continue
			}
			last = time.Now()
			if f.err = f.send(uint64(n)); f.err != nil {
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
		if number&trailer != 0 {
			f.trailers.Add(1)
			continue
		}
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

// stop ends the flow when nothing of it is under way any more: see overtaken.
func (f *flow) stop() stream {
	f.t.Helper()
	close(f.quit)
	f.sending.Wait()
	for deadline := time.Now().Add(within); f.err == nil && f.trailers.Load() < overtaken; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			f.t.Errorf("%s: %d datagrams sent, %d arrived; then nothing arrives", f.name, f.sent.Load(), f.arrived.Load())
			break
		}
		f.err = f.send(trailer)
	}
	f.receiver.SetReadDeadline(time.Now())
	f.reading.Wait()
	if f.err != nil {
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
