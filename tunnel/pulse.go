package tunnel

import "time"

// pulse tells from the packet counters whether packets flow to or from a peer,
// which is then looked at every tick. An idle peer is left alone: the next data
// packet sent to it raises an event (see pmtud.SentLog.Watch). Packets from it
// are counted, and noticed when something else is due. The zero value is an idle
// peer; owned by the control goroutine.
type pulse struct {
	rx, tx uint64
	until  time.Time // packets flow until then at least
}

// look takes the counters of packets received and sent, and reports whether
// packets have flowed within a tick.
func (u *pulse) look(now time.Time, rx, tx uint64) (flows bool) {
	if rx != u.rx || tx != u.tx {
		u.rx, u.tx, u.until = rx, tx, now.Add(tick)
	}
	return now.Before(u.until)
}

// deadline is when to look again, as long as packets flow: at the next tick.
func (u *pulse) deadline(now time.Time) time.Time {
	if now.Before(u.until) {
		return now.Add(1) // rounded up
	}
	return time.Time{}
}
