package tunnel

import "time"

const (
	// echoAfter is how long packets may be sent without any answer before
	// the peer is asked for one, and how often it is asked again.
	echoAfter = 2 * time.Second
	// deadAfter is how long packets may be sent without any answer before
	// the SAs are taken for dead and a handshake is tried.
	deadAfter = 5 * time.Second
	// idleEcho is how long a silent peer is left alone.
	idleEcho = 10 * time.Second
)

// liveness tells from the packet counters whether a peer still answers, in the
// manner of RFC 3706: an end that sends and hears nothing asks. It sends nothing
// while the traffic itself answers the question. The zero value is ready; owned
// by the control goroutine.
type liveness struct {
	rx, tx     uint64    // counters at the last look
	looked     time.Time // the last look
	heard      time.Time // the peer was last known to answer
	unanswered time.Time // since when tx has grown without rx; zero if not
	asked      time.Time // the last echo
	dead       bool      // the outcome of the last look
}

// reset begins anew with an SA that was set up now.
func (l *liveness) reset(now time.Time) {
	l.looked, l.heard, l.unanswered, l.asked, l.dead = now, now, time.Time{}, time.Time{}, false
}

// hears notes that a message of the peer's arrived just now. The tx packets sent
// until then need no other answer.
func (l *liveness) hears(now time.Time, tx uint64) {
	l.heard, l.unanswered, l.tx = now, time.Time{}, tx
}

// asks notes that a message leaves now that is answered at once, as an echo is: a probe.
func (l *liveness) asks(now time.Time) { l.asked = now }

// silent reports whether the last look took the peer for dead.
func (l *liveness) silent() bool { return l.dead }

// look compares the counters of authenticated packets received and packets
// sent with those of the look before. It says whether to send an echo, and
// whether the peer is to be taken for dead. An idle peer is looked at rarely, so
// packets that have arrived since the last look may have come at any time after
// it. The first packet sent after a rest, however, raises an event, so it was
// sent just now.
func (l *liveness) look(now time.Time, rx, tx uint64) (echo, dead bool) {
	if rx != l.rx {
		if l.looked.After(l.heard) {
			l.heard = l.looked
		}
		l.unanswered = time.Time{}
	}
	rested := now.Sub(l.looked) > 2*tick
	if tx != l.tx && l.unanswered.IsZero() && (rx == l.rx || rested) {
		l.unanswered = now
	}
	l.rx, l.tx, l.looked = rx, tx, now

	echo = !now.Before(l.echoAt())
	dead = !l.unanswered.IsZero() && now.Sub(l.unanswered) >= deadAfter
	if echo {
		l.asked = now
	}
	l.dead = dead
	return echo, dead
}

// echoAt is when the peer is to be asked.
func (l *liveness) echoAt() time.Time {
	at := l.heard.Add(idleEcho)
	if !l.unanswered.IsZero() {
		at = l.unanswered.Add(echoAfter)
	}
	if again := l.asked.Add(echoAfter); again.After(at) {
		return again
	}
	return at
}

// deadline is when to look again if no packet is sent before.
func (l *liveness) deadline() time.Time {
	if l.unanswered.IsZero() || l.dead {
		return l.echoAt()
	}
	return earliest(l.echoAt(), l.unanswered.Add(deadAfter))
}
