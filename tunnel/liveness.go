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

// liveness tells from the packet counters whether a peer still answers, in
// the manner of RFC 3706: who sends and hears nothing asks. Nothing is sent
// while the traffic itself answers the question. The zero value is ready;
// owned by the control goroutine.
type liveness struct {
	rx, tx     uint64    // counters at the last look
	heard      time.Time // when rx was last seen to grow
	unanswered time.Time // since when tx has grown without rx; zero if not
	asked      time.Time // the last echo
	dead       bool      // the outcome of the last look
}

// reset begins anew with an SA that was set up now.
func (l *liveness) reset(now time.Time) {
	l.heard, l.unanswered, l.asked, l.dead = now, time.Time{}, time.Time{}, false
}

// silent reports whether the last look took the peer for dead.
func (l *liveness) silent() bool { return l.dead }

// look compares the counters of authenticated packets received and packets
// sent with those of the look before. It says whether to send an echo, and
// whether the peer is to be taken for dead.
func (l *liveness) look(now time.Time, rx, tx uint64) (echo, dead bool) {
	if rx != l.rx {
		l.heard, l.unanswered = now, time.Time{}
	} else if tx != l.tx && l.unanswered.IsZero() {
		l.unanswered = now
	}
	l.rx, l.tx = rx, tx

	if l.unanswered.IsZero() {
		echo = now.Sub(l.heard) >= idleEcho
	} else {
		echo = now.Sub(l.unanswered) >= echoAfter
		dead = now.Sub(l.unanswered) >= deadAfter
	}
	if echo && now.Sub(l.asked) < echoAfter {
		echo = false
	}
	if echo {
		l.asked = now
	}
	l.dead = dead
	return echo, dead
}
