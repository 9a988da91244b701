package pmtud

import "sync/atomic"

const (
	// sentLogSize is how many sequence numbers a SentLog remembers, a power of two.
	sentLogSize = 4096
	// restingLogSize is how many it remembers before enlarge: most peers of a hub rest.
	restingLogSize = 128
)

// A SentLog remembers the outer sizes of the packets last sent on one outbound
// SA, and by which path each was sent. A receive report speaks of sequence numbers;
// the log gives the rest.
// Each SA has its own, given to Discovery.NewSA. The zero value is empty and
// ready to use. It is a small log, until the Discovery has much to ask about.
//
// Any number of goroutines may call Record and Size at once, and one goroutine
// for each sender Queued and Flushed, all without lock or allocation. Everything
// else belongs to the goroutine of the Discovery.
type SentLog struct {
	// highest is near the highest number recorded; racing writers may leave
	// it some numbers low, never high.
	highest atomic.Uint32
	armed   atomic.Bool // the next data packet calls for a report
	watched atomic.Bool // the next data packet is waited for: see Watch
	tight   atomic.Bool // a burst may soon be too much for the small log: see requests.grow
	// queued is, by sender, the lowest sequence number that has not left yet,
	// 0 if all have left.
	queued [MaxSenders]atomic.Uint32
	large  atomic.Pointer[[sentLogSize]sentEntry] // in the place of small; nil: see enlarge
	_      [64]byte                               // every packet writes to the cache lines that follow
	small  [restingLogSize]sentEntry
}

// A sentEntry holds sequence number ‖ whether it is a control message (1 bit) ‖ path (15
// bits) ‖ size; a reader compares the number.
type sentEntry struct{ atomic.Uint64 }

// at returns the entry of a sequence number.
func (l *SentLog) at(seq uint32) *sentEntry {
	if large := l.large.Load(); large != nil {
		return &large[seq%sentLogSize]
	}
	return &l.small[seq%restingLogSize]
}

// enlarge gives the log its full size. What a sender records in that moment may be
// forgotten.
func (l *SentLog) enlarge() {
	if l.large.Load() != nil {
		return
	}
	large := new([sentLogSize]sentEntry)
	l.large.Store(large)
	for i := range l.small {
		if old := l.small[i].Load(); old != 0 {
			// Only where nothing is known yet: the senders are at work.
			large[uint32(old>>32)%sentLogSize].CompareAndSwap(0, old)
		}
	}
}

// Record notes that the packet with sequence number seq has size bytes of outer
// IP packet and is sent by a path, which is Config.Path of the Discovery that judges
// it; one of another number is judged by none. data is true for packets of the tunnel's user, false for probes,
// reports and other control messages. It returns true if the Discovery waits
// for data to flow: Poll should then be called soon, and Record does not ask
// again before that. It also returns true for the first data packet after Watch, and
// while the log is small now and then.
func (l *SentLog) Record(seq uint32, size int, path uint16, data bool) (wake bool) {
	entry := uint64(seq)<<32 | uint64(path&pathBits)<<16 | uint64(uint16(size))
	if !data {
		entry |= controlEntry
	}
	l.at(seq).Store(entry)
	if h := l.highest.Load(); seq > h {
		l.highest.CompareAndSwap(h, seq)
	}
	if !data {
		return false
	}
	if l.armed.Load() && l.armed.Swap(false) {
		wake = true
	}
	if l.watched.Load() && l.watched.Swap(false) {
		wake = true
	}
	if seq%busyPackets == 0 && l.tight.Load() && l.tight.Swap(false) {
		wake = true
	}
	return wake
}

const (
	// controlEntry marks the entry of a control message.
	controlEntry = 1 << 31
	// pathBits are those of a path's number.
	pathBits = 1<<15 - 1
)

// control reports whether the packet numbered seq was a control message, as far as
// it is remembered.
func (l *SentLog) control(seq uint32) bool {
	e := l.at(seq).Load()
	return uint32(e>>32) == seq && e&controlEntry != 0
}

// Watch makes the next Record of a data packet return true, once. Any goroutine
// may call it.
func (l *SentLog) Watch() {
	if !l.watched.Load() {
		l.watched.Store(true)
	}
}

// MaxSenders is how many goroutines may send on one SA at once. Each has an
// index below it.
const MaxSenders = 32

// Queued notes that the sender holds packets from sequence number seq on that
// are sealed and not yet sent. A report request that overtakes them does not
// ask for them.
func (l *SentLog) Queued(sender int, seq uint32) {
	if q := &l.queued[sender]; q.Load() == 0 {
		q.Store(seq)
	}
}

// NotSent forgets the sizes of the packets that the sender holds, since the host
// has lost some of them. Those that others have sealed meanwhile are forgotten with
// them. Call it before Flushed.
func (l *SentLog) NotSent(sender int) {
	first, last := l.queued[sender].Load(), l.highest.Load()
	if first == 0 {
		return
	}
	for seq := max(first, last-min(last, sentLogSize)); ; seq++ {
		e := l.at(seq)
		if old := e.Load(); uint32(old>>32) == seq || old == 0 { // enlarge may be about to fill it in
			e.CompareAndSwap(old, uint64(seq)<<32)
		}
		if seq >= last {
			return
		}
	}
}

// Flushed notes that the sender has handed all its packets to the kernel.
func (l *SentLog) Flushed(sender int) { l.queued[sender].Store(0) }

// top returns the highest sequence number that has left, with all before it.
func (l *SentLog) top() uint32 {
	top := l.highest.Load()
	for i := range l.queued {
		if q := l.queued[i].Load(); q != 0 {
			top = min(top, q-1)
		}
	}
	return top
}

// Size returns the outer size, in bytes, of the packet numbered seq as it was
// sent, 0 if it is forgotten or was never sent. The caller gives it to
// Discovery.PTB as PTB.Size.
func (l *SentLog) Size(seq uint32) int {
	size, _ := l.Sent(seq)
	return size
}

// Sent returns the same, and by which path the packet was sent.
func (l *SentLog) Sent(seq uint32) (size int, path uint16) {
	e := l.at(seq).Load()
	if uint32(e>>32) != seq {
		return 0, 0
	}
	return int(uint16(e)), uint16(e>>16) & pathBits
}
