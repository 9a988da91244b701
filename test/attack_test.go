//go:build linux

package test

import (
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// attack is a flood in the background.
type attack struct {
	t     testing.TB
	sent  atomic.Int64
	began time.Time
	quit  chan struct{}
	ended chan struct{}
	err   error
}

// attackBurst is how many packets of a flood are sent at once.
const attackBurst = 64

// startAttack begins to send a flood from the router: at a rate a second, or with
// 0 as fast as the gateway takes it.
func startAttack(t testing.TB, f *flooded, what floodPackets, rate int) *attack {
	t.Helper()
	x := &attack{t: t, began: time.Now(), quit: make(chan struct{}), ended: make(chan struct{})}
	var raw int
	check(t, f.R.Do(func() (err error) {
		raw, err = rawSocket()
		return err
	}))
	pause := x.taken(f, what)
	if rate > 0 {
		pause = x.inTime(rate)
	}
	to := &unix.SockaddrInet4{Addr: f.Right.B.Addr4().As4()}
	go func() {
		defer close(x.ended)
		defer unix.Close(raw)
		for {
			select {
			case <-x.quit:
				return
			default:
			}
			for range attackBurst {
				n := x.sent.Add(1)
				if err := unix.Sendto(raw, what.packet(uint64(n)), 0, to); err != nil && err != unix.ENOBUFS {
					x.err = err
					return
				}
			}
			pause()
		}
	}()
	t.Cleanup(func() {
		x.halt()
	})
	return x
}

// inTime waits until the next packets of a rate are due.
func (x *attack) inTime(rate int) func() {
	return func() {
		due := x.began.Add(time.Duration(x.sent.Load()) * time.Second / time.Duration(rate))
		time.Sleep(time.Until(due))
	}
}

// taken waits until the gateway has answered a request, and has taken nearly all of
// the flood; but not for what is lost on the way.
func (x *attack) taken(f *flooded, what floodPackets) func() {
	const atMost, few = 100 * time.Millisecond, 2 * attackBurst
	seen := func() (n int64) {
		s, err := f.b.Status(x.t.Context())
		if err != nil || what.seen == nil {
			return 0
		}
		return int64(what.seen(s))
	}
	before := seen()
	return func() {
		for began := time.Now(); ; {
			n := seen() - before
			if what.seen == nil || n+few >= x.sent.Load() || time.Since(began) > atMost {
				return
			}
		}
	}
}

// reach waits until n packets have been sent in all.
func (x *attack) reach(n int64) {
	x.t.Helper()
	for deadline := time.Now().Add(within); x.sent.Load() < n; time.Sleep(time.Millisecond) {
		select {
		case <-x.ended:
			x.t.Fatalf("the flood has ended after %d packets: %v", x.sent.Load(), x.err)
		default:
		}
		if time.Now().After(deadline) {
			x.t.Fatalf("%d packets of the flood have been sent; it was to reach %d", x.sent.Load(), n)
		}
	}
}

// stop ends the flood and returns how many packets it had in a second.
func (x *attack) stop() float64 {
	x.t.Helper()
	x.halt()
	if x.err != nil {
		x.t.Error(x.err)
	}
	return float64(x.sent.Load()) / time.Since(x.began).Seconds()
}

func (x *attack) halt() {
	select {
	case <-x.quit:
	default:
		close(x.quit)
	}
	<-x.ended
}
