//go:build linux

package main

import (
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"fathom/test/netlab"
)

// flow is a way for data: from a host to an address of another.
type flow struct {
	from, to *netlab.Host
	address  string
}

// flow is that from a to b.
func (v *variant) flow() flow { return flow{v.a, v.b, v.address} }

// transfer is a TCP stream without pause, measured where it arrives: sent data may still
// wait, and be sent again.
type transfer struct {
	sender, receiver net.Conn
	running          sync.WaitGroup

	mu       sync.Mutex
	arrivals []arrival
}

type arrival struct {
	at    time.Time
	bytes int
}

// newTransfer starts one with a congestion control, or with the kernel's choice.
func newTransfer(f flow, congestion string) (*transfer, error) {
	t, err := connect(f)
	if err != nil {
		return nil, err
	}
	if congestion != "" {
		if err := setCongestion(t.sender, congestion); err != nil {
			t.stop()
			return nil, err
		}
	}
	t.start()
	return t, nil
}

// connect makes the connection of a transfer.
func connect(f flow) (*transfer, error) {
	listener, err := f.to.Listen("tcp", net.JoinHostPort(f.address, "0"))
	if err != nil {
		return nil, err
	}
	defer listener.Close()
	t := new(transfer)
	if t.sender, err = dial(f.from, "tcp", listener.Addr()); err != nil {
		return nil, err
	}
	listener.(*net.TCPListener).SetDeadline(time.Now().Add(patience))
	if t.receiver, err = listener.Accept(); err != nil {
		return nil, errors.Join(err, t.sender.Close())
	}
	return t, nil
}

// filler is what every transfer sends, again and again.
var filler = make([]byte, 128<<10)

func (t *transfer) start() {
	t.running.Go(func() {
		for {
			if _, err := t.sender.Write(filler); err != nil {
				return
			}
		}
	})
	t.running.Go(func() {
		for chunk := make([]byte, len(filler)); ; {
			n, err := t.receiver.Read(chunk)
			t.mu.Lock()
			t.arrivals = append(t.arrivals, arrival{time.Now(), n})
			t.mu.Unlock()
			if err != nil {
				return
			}
		}
	})
}

// stop throws away the data under way.
func (t *transfer) stop() {
	for _, c := range []net.Conn{t.sender, t.receiver} {
		c.(*net.TCPConn).SetLinger(0)
		c.Close()
	}
	t.running.Wait()
}

// within returns what arrived in a span of time.
func (t *transfer) within(from, to time.Time) (arrived []arrival) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, a := range t.arrivals {
		if a.bytes > 0 && a.at.After(from) && !a.at.After(to) {
			arrived = append(arrived, a)
		}
	}
	return arrived
}

// rate returns the bits per second of a span of time.
func (t *transfer) rate(from, to time.Time) float64 {
	sum := 0
	for _, a := range t.within(from, to) {
		sum += a.bytes
	}
	return float64(sum) * 8 / to.Sub(from).Seconds()
}

// longestGap returns the longest time in a span in which nothing arrived.
func (t *transfer) longestGap(from, to time.Time) (longest time.Duration) {
	last := from
	for _, a := range append(t.within(from, to), arrival{at: to}) {
		longest = max(longest, a.at.Sub(last))
		last = a.at
	}
	return longest
}

// backAfter returns how long after the start of a span the rate is back at rate
// bits per second: the end of the first tenth of a second with that rate. It
// returns the whole span if the rate never comes back.
func (t *transfer) backAfter(from, to time.Time, rate float64) time.Duration {
	const window, step = 100 * time.Millisecond, 10 * time.Millisecond
	for at := from.Add(window); at.Before(to); at = at.Add(step) {
		if t.rate(at.Add(-window), at) >= rate {
			return at.Sub(from)
		}
	}
	return to.Sub(from)
}

// warmUp lets a variant carry a moment of traffic that is not measured.
func warmUp(v *variant) error {
	t, err := newTransfer(v.flow(), "")
	if err != nil {
		return err
	}
	defer t.stop()
	began := time.Now()
	time.Sleep(settle)
	if t.rate(began, time.Now()) == 0 {
		return errors.New("nothing arrives")
	}
	return nil
}

func setCongestion(conn net.Conn, name string) error {
	raw, err := conn.(*net.TCPConn).SyscallConn()
	if err != nil {
		return err
	}
	var refused error
	if err := raw.Control(func(fd uintptr) {
		refused = unix.SetsockoptString(int(fd), unix.IPPROTO_TCP, unix.TCP_CONGESTION, name)
	}); err != nil {
		return err
	}
	if refused != nil {
		return fmt.Errorf("congestion control %s: %w (sudo modprobe tcp_%s)", name, refused, name)
	}
	return nil
}
