package udp

import (
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// outletIdle is how long a destination may send nothing before its own outlet
	// can be given to another.
	outletIdle = 10 * time.Second
	// minOutletBuffer is the least send buffer of an own outlet, in bytes: enough
	// for the kernel to take a second superpacket while the first is sent.
	minOutletBuffer = 32 << 10
)

// outlets are the sockets of one address family by which data leaves. All
// destinations share the common one until it is full and would stop them all: see
// remedy. The destination that finds it full then gets an outlet of its own, and
// the others get an empty common one. An own outlet that is full concerns its
// destination alone.
//
// The first to find the common outlet full need not be the one that has filled it.
// That one fills the next, and sooner or later is the one to find it full.
type outlets struct {
	common atomic.Pointer[socket]
	buffer int // the send buffer of the common outlet, in bytes

	mu      sync.Mutex    // guards what follows
	all     []*socket     // the first is one that also receives
	none    time.Duration // until when none is looked for, since there was none: Conn.now
	retired bool          // data leaves by those of another port
}

// lookEvery is how often a spare outlet is looked for while there is none: that takes
// a system call for each of them, and each batch of each destination without one asks.
const lookEvery = 10 * time.Millisecond

// newOutlets takes the first of the receiving sockets for data, and opens as many
// more as cfg says. If the host refuses one, there are fewer, and the error says
// why.
func newOutlets(first *socket, host netip.Addr, cfg Config) (*outlets, error) {
	o := &outlets{buffer: cfg.SendBuffer, all: []*socket{first}}
	o.common.Store(first)
	first.setSendBuffer(o.buffer)
	for range cfg.Outlets {
		s, err := openOutlet(first, host, cfg)
		if err != nil {
			return o, err
		}
		s.list = o
		o.all = append(o.all, s)
	}
	return o, nil
}

// several reports whether there is an outlet beside the common one.
func (o *outlets) several() bool { return len(o.all) > 1 }

// part gives the destination an outlet of its own, and the others an empty common
// one in the place of the full one. It reports whether something has changed: if
// not, there is no outlet to spare.
func (o *outlets) part(to *Destination, full *socket, now time.Duration) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if to.own.Load() != nil || o.common.Load() != full || o.retired {
		return true // something was faster
	}
	own := o.spare(now)
	if own == nil {
		return false
	}
	own.user = to
	own.used.Store(int64(now))
	o.divide(now)
	own.level.Store(0)
	own.gauge.reset(now, own.sent.Load(), 0, int(own.limit.Load()))
	to.own.Store(own)
	if fresh := o.spare(now); fresh != nil {
		fresh.setSendBuffer(o.buffer)
		full.used.Store(int64(now))
		o.common.Store(fresh)
	}
	return true
}

// rejoin lets the destination, which has one of these as its own, use the common outlet
// again.
func (o *outlets) rejoin(to *Destination) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if own := to.own.Load(); own != nil && own.list == o && to.own.CompareAndSwap(own, nil) {
		own.user = nil
		o.none = 0
	}
}

// retire takes them back from all destinations, for good.
func (o *outlets) retire() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.retired = true
	for _, s := range o.all {
		if s.user != nil {
			s.user.own.CompareAndSwap(s, nil)
			s.user = nil
		}
	}
}

// spare returns the outlet that has been out of use for longest and is empty, nil
// if there is none. One that an outbox waits for is in use: its new owner might keep
// it full for ever.
func (o *outlets) spare(now time.Duration) (spare *socket) {
	if now < o.none {
		return nil
	}
	for _, s := range o.all {
		if s == o.common.Load() || s.full.Load() > 0 || s.busy(now) || spare != nil && s.used.Load() > spare.used.Load() || s.queued() > 0 {
			continue
		}
		spare = s
	}
	if spare == nil {
		o.none = now + lookEvery
	} else if spare.user != nil {
		spare.user.own.CompareAndSwap(spare, nil)
		spare.user = nil
	}
	return spare
}

// busy reports whether it belongs to a destination that has used it recently.
func (s *socket) busy(now time.Duration) bool {
	return s.user != nil && now-time.Duration(s.used.Load()) < outletIdle
}

// divide gives all own outlets equal shares of one send buffer, since they may lead
// to one queue, in which everything in them waits.
func (o *outlets) divide(now time.Duration) {
	var own []*socket
	for _, s := range o.all {
		if s.busy(now) {
			own = append(own, s)
		}
	}
	for _, s := range own {
		s.setSendBuffer(max(o.buffer/len(own), minOutletBuffer))
	}
}

// close closes those that do not receive.
func (o *outlets) close() {
	for _, s := range o.all[1:] {
		s.conn.Close()
	}
}
