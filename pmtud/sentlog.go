package pmtud

import "sync/atomic"

// sentLogSize is how many sequence numbers a SentLog remembers, a power of two.
const sentLogSize = 4096

// A SentLog remembers the outer sizes of the packets last sent on one outbound
// SA, so that a receive report, which speaks of sequence numbers, can be read
// by size. Each SA has its own, given to Discovery.NewSA.
//
// Record may be called by any number of goroutines at once, Waits and Left by one
// for each lane, all without lock or allocation; everything else belongs to the
// goroutine of the Discovery.
type SentLog struct {
	// highest is near the highest number recorded; racing writers may leave
	// it some numbers low, never high.
	highest atomic.Uint32
	armed   atomic.Bool // the next data packet calls for a report
	// waiting is the lowest number in each lane of a packet that has not left
	// yet, 0 if there is none.
	waiting [Lanes]atomic.Uint32
	_       [64]byte // what follows is written by every packet
	// entries hold sequence number ‖ size; a reader compares the number.
	entries [sentLogSize]atomic.Uint64
}

// Record notes that the packet with sequence number seq has size bytes of outer
// IP packet. For packets of the tunnel's user, not for probes, reports and
// other control messages, data is true. It returns true if the Discovery waits
// for data to flow: Poll should then be called soon, and is not asked for again
// before it was.
func (l *SentLog) Record(seq uint32, size int, data bool) (wake bool) {
	l.entries[seq%sentLogSize].Store(uint64(seq)<<32 | uint64(uint16(size)))
	if h := l.highest.Load(); seq > h {
		l.highest.CompareAndSwap(h, seq)
	}
	return data && l.armed.Load() && l.armed.Swap(false)
}

// Lanes is how many goroutines may send on one SA at once.
const Lanes = 32

// Waits notes that the packet with sequence number seq is sealed but still in
// the hands of the sender that lane stands for, below Lanes, as are all that it
// seals after it: a report request that overtakes them must not ask for them.
func (l *SentLog) Waits(lane int, seq uint32) {
	if w := &l.waiting[lane]; w.Load() == 0 {
		w.Store(seq)
	}
}

// Left notes that all packets of the lane have been handed to the kernel.
func (l *SentLog) Left(lane int) { l.waiting[lane].Store(0) }

// top returns the highest sequence number that has left, with all before it.
func (l *SentLog) top() uint32 {
	top := l.highest.Load()
	for i := range l.waiting {
		if w := l.waiting[i].Load(); w != 0 {
			top = min(top, w-1)
		}
	}
	return top
}

// Size returns the outer size, in bytes, of the packet numbered seq as it was
// sent, 0 if it is forgotten or never was: what PTB wants to know. Any
// goroutine may ask.
func (l *SentLog) Size(seq uint32) int {
	e := l.entries[seq%sentLogSize].Load()
	if uint32(e>>32) != seq {
		return 0
	}
	return int(uint16(e))
}
