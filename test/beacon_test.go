//go:build linux

package test

import (
	"encoding/binary"
	"errors"
	"maps"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"fathom/test/netlab"
)

// beacon sends a datagram to an address every few milliseconds, whatever the
// host makes of it, and knows since when they are answered.
type beacon struct {
	conn net.PacketConn
	to   net.Addr
	quit chan struct{}
	ends sync.WaitGroup

	mu       sync.Mutex
	answered map[uint64]time.Time // by number: when the answer came
	sent     map[uint64]time.Time
}

const beaconEvery = 2 * time.Millisecond

func startBeacon(t testing.TB, from, to *netlab.Host, address string) *beacon {
	t.Helper()
	echo, err := to.ListenPacket("udp", net.JoinHostPort(address, "0"))
	check(t, err)
	go func() {
		buffer := make([]byte, 100)
		for {
			n, from, err := echo.ReadFrom(buffer)
			if errors.Is(err, net.ErrClosed) {
				return
			} else if err == nil {
				echo.WriteTo(buffer[:n], from)
			}
		}
	}()
	conn, err := from.ListenPacket("udp", ":0")
	check(t, err)
	b := &beacon{conn: conn, to: echo.LocalAddr(), quit: make(chan struct{}), answered: make(map[uint64]time.Time), sent: make(map[uint64]time.Time)}
	b.ends.Go(b.send)
	b.ends.Go(b.receive)
	t.Cleanup(func() {
		close(b.quit)
		conn.Close()
		echo.Close()
		b.ends.Wait()
	})
	return b
}

func (b *beacon) send() {
	for n := uint64(1); ; n++ {
		b.mu.Lock()
		b.sent[n] = time.Now()
		b.mu.Unlock()
		b.conn.WriteTo(binary.BigEndian.AppendUint64(nil, n), b.to) // it may be refused
		select {
		case <-b.quit:
			return
		case <-time.After(beaconEvery):
		}
	}
}

func (b *beacon) receive() {
	buffer := make([]byte, 100)
	for {
		n, _, err := b.conn.ReadFrom(buffer)
		if errors.Is(err, net.ErrClosed) {
			return
		} else if err != nil || n != 8 {
			continue
		}
		b.mu.Lock()
		b.answered[binary.BigEndian.Uint64(buffer)] = time.Now()
		b.mu.Unlock()
	}
}

// back returns when the first answer to a datagram sent after an event came, and
// waits for it.
func (b *beacon) back(t testing.TB, event time.Time) time.Time {
	t.Helper()
	for deadline := time.Now().Add(within); time.Now().Before(deadline); time.Sleep(beaconEvery) {
		var first time.Time
		b.mu.Lock()
		for n, at := range b.answered {
			if b.sent[n].After(event) && (first.IsZero() || at.Before(first)) {
				first = at
			}
		}
		b.mu.Unlock()
		if !first.IsZero() {
			return first
		}
	}
	t.Fatalf("no answer from %v any more", b.to)
	return time.Time{}
}

// pause returns the longest time between two answers in a period.
func (b *beacon) pause(from, to time.Time) (longest time.Duration) {
	b.mu.Lock()
	at := slices.SortedFunc(maps.Values(b.answered), time.Time.Compare)
	b.mu.Unlock()
	for _, t := range append(at, to) {
		if t.After(from) && !t.After(to) {
			longest = max(longest, t.Sub(from))
			from = t
		}
	}
	return longest
}
