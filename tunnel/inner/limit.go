package inner

import (
	"hash/maphash"
	"net/netip"
	"time"
)

// PTBLimit bounds the rate of PTBs: to each host, and in all. Without it the
// senders of the packets would decide how many there are (RFC 1812 section
// 4.3.2.8, RFC 4443 section 2.4(f)). Its memory does not grow: hosts that fall
// on the same entry share it. The zero value is ready. It is not safe for
// concurrent use.
type PTBLimit struct {
	seed  maphash.Seed
	ready bool
	all   bucket
	hosts [256]bucket
}

const (
	hostRate, hostBurst = 10, 5 // PTBs a second to one host
	allRate, allBurst   = 1000, 100
)

// Allow reports whether a PTB may go to a host now, and counts it.
func (l *PTBLimit) Allow(to netip.Addr, now time.Time) bool {
	if !l.ready {
		l.seed, l.ready = maphash.MakeSeed(), true
	}
	host := &l.hosts[maphash.Comparable(l.seed, to)%uint64(len(l.hosts))]
	return host.take(hostRate, hostBurst, now) && l.all.take(allRate, allBurst, now)
}

// bucket is a token bucket that is full at first.
type bucket struct {
	spent float64 // tokens that are missing
	at    time.Time
}

func (b *bucket) take(rate, burst float64, now time.Time) bool {
	if passed := now.Sub(b.at); passed > 0 {
		b.spent = max(0, b.spent-passed.Seconds()*rate)
		b.at = now
	}
	if b.spent > burst-1 {
		return false
	}
	b.spent++
	return true
}
