//go:build linux

package netlab

import (
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// Direction is one way through a UserLink. Its methods may be called
// concurrently.
type Direction struct {
	// Set once.
	dir      Dir
	from, to int // nonblocking descriptors of the devices
	wake     int // readable when the link is to end
	start    time.Time

	// Atomic.
	conditions atomic.Pointer[Conditions]
	filter     atomic.Pointer[Filter]

	mu sync.Mutex // makes Update one step

	pipe pipe // of the goroutine in run, except its counters
}

func newDirection(dir Dir, from, to, wake int, seed uint64) *Direction {
	d := &Direction{dir: dir, from: from, to: to, wake: wake, start: time.Now()}
	d.pipe.dice = newDice(seed, dir)
	return d
}

// Conditions returns those in force.
func (d *Direction) Conditions() Conditions { return *d.conditions.Load() }

// Set puts the direction under new conditions. Packets already under way or in
// the queue keep their times, and later ones do not overtake them.
func (d *Direction) Set(c Conditions) {
	d.Update(func(current *Conditions) { *current = c })
}

// Update changes some of the conditions.
func (d *Direction) Update(change func(*Conditions)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	var c Conditions
	if current := d.conditions.Load(); current != nil {
		c = *current
	}
	change(&c)
	d.conditions.Store(&c)
}

// SetFilter puts f in front of everything else; nil takes it away. A call of
// the filter before it may still be running.
func (d *Direction) SetFilter(f Filter) {
	if f == nil {
		d.filter.Store(nil)
		return
	}
	d.filter.Store(&f)
}

// Counters returns the counts so far.
func (d *Direction) Counters() Counters { return d.pipe.counters() }

// readBatch is how many packets are read before those due are written.
const readBatch = 64

// run moves packets until wake is readable. It waits for the next packet and
// the next arrival with one ppoll, whose timeout is exact where a Go timer is
// good for a millisecond, and needs no lock, channel or timer for a packet.
func (d *Direction) run() {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	slack, err := unix.PrctlRetInt(unix.PR_GET_TIMERSLACK, 0, 0, 0, 0)
	if err == nil && unix.Prctl(unix.PR_SET_TIMERSLACK, 1, 0, 0, 0) == nil {
		defer unix.Prctl(unix.PR_SET_TIMERSLACK, uintptr(slack), 0, 0, 0)
	}

	buf := make([]byte, 64<<10)
	poll := []unix.PollFd{{Fd: int32(d.from), Events: unix.POLLIN}, {Fd: int32(d.wake), Events: unix.POLLIN}}
	for {
		var timeout *unix.Timespec
		if at, ok := d.pipe.next(); ok {
			ts := unix.NsecToTimespec(max(0, at-d.now()))
			timeout = &ts
		}
		if _, err := unix.Ppoll(poll, timeout, nil); err != nil && !errors.Is(err, unix.EINTR) {
			return
		}
		if poll[1].Revents != 0 || poll[0].Revents&unix.POLLERR != 0 {
			return // the link is to end, or its device has been removed
		}
		d.readBatch(buf)
		d.writeDue()
	}
}

func (d *Direction) now() int64 { return int64(time.Since(d.start)) }

func (d *Direction) readBatch(buf []byte) {
	conditions, filter := d.conditions.Load(), d.filter.Load()
	for range readBatch {
		n, err := unix.Read(d.from, buf)
		if err != nil || n == 0 {
			return // EAGAIN, or the device is down
		}
		packet := buf[:n]
		if linkLocalMulticast(packet) {
			continue
		}
		d.pipe.count.in.Add(1)
		d.pipe.count.inBytes.Add(uint64(n))
		if filter != nil && (*filter)(d.dir, packet) == Drop {
			d.pipe.count.filtered.Add(1)
			continue
		}
		if mtu := d.pipe.accept(d.now(), conditions, packet); mtu > 0 && conditions.TellMTU {
			d.tellMTU(packet, mtu)
		}
	}
}

// tellMTU answers a packet with a PTB, if it may be answered.
func (d *Direction) tellMTU(packet []byte, mtu int) {
	if ptb := appendPTB(nil, packet, mtu); ptb != nil {
		_, _ = unix.Write(d.from, ptb) // a full device loses it, as a router's queue does
	}
}

func (d *Direction) writeDue() {
	now := d.now()
	for packet := d.pipe.take(now); packet != nil; packet = d.pipe.take(now) {
		_, err := unix.Write(d.to, packet)
		d.pipe.release(packet, err == nil)
	}
}

// linkLocalMulticast reports whether the packet goes to 224.0.0.0/24 or
// ff02::/16.
func linkLocalMulticast(packet []byte) bool {
	const (
		destination4 = 16
		destination6 = 24
	)
	switch {
	case len(packet) >= 20 && packet[0]>>4 == 4:
		d := packet[destination4:]
		return d[0] == 224 && d[1] == 0 && d[2] == 0
	case len(packet) >= 40 && packet[0]>>4 == 6:
		return packet[destination6] == 0xff && packet[destination6+1]&0xf == 2
	}
	return false
}
