package paths

import "time"

const (
	// staleAfter is how long an answer proves a pair.
	staleAfter = 30 * time.Second
	// refreshAfter is how old the last answer of a pair may be when the peer
	// challenges by it, before it is challenged in return.
	refreshAfter = 12 * time.Second
	// ghostAfter is how long a pair is remembered that the host does not offer and
	// by which nothing comes.
	ghostAfter = 3 * time.Minute
)

// A path is a pair and all that is known of it.
type path struct {
	Pair
	cost Cost
	// ours: the host offers it. Other pairs are known because the peer was heard by
	// them.
	ours  bool
	state State

	challenges
	rtt       rtt
	allowance allowance
	steady    steadiness

	heard     time.Time // the last authentic packet by it; zero: none
	confirmed time.Time // the last answer, or handshake
	// asked is when the last challenge left that was answered.
	asked time.Time
	// newest is when the peer last sent by it what was newest (roaming.go).
	newest time.Time
	// beaten is when the pair in use last won against it after that.
	beaten time.Time
	told   generation // the highest decision that came by it
	owed   [maxOwed]owed
	owes   int
}

// maxOwed bounds the responses that wait for the next Look.
const maxOwed = 4

// An owed is a response to be sent.
type owed struct{ token uint64 }

// happens moves the state machine.
func (p *path) happens(e event) { p.state = p.state.after(e) }

// stateAt returns the state at a moment. No timer makes a pair stale.
func (p *path) stateAt(now time.Time) State {
	if now.Sub(p.confirmed) > staleAfter {
		return p.state.after(aged)
	}
	return p.state
}

// proves takes in that the peer has answered what left at the given time.
func (p *path) proves(left, now time.Time) {
	p.happens(answered)
	p.confirmed, p.heard = now, now
	if left.After(p.asked) {
		p.asked = left
	}
}

// fail gives up the pair until it is proved anew.
func (p *path) fail() {
	p.happens(gaveUp)
	p.unanswered = max(p.unanswered, enoughUnanswered)
	p.rest()
	p.steady.broken()
}

// ghost reports whether the pair may be forgotten: a place where the peer was.
func (p *path) ghost(now time.Time) bool {
	return !p.ours && now.Sub(p.heard) > ghostAfter && now.Sub(p.confirmed) > ghostAfter
}

// owe keeps a response for the next Look. Too many are dropped: the peer asks
// again.
func (p *path) owe(token uint64) {
	if p.owes < maxOwed {
		p.owed[p.owes] = owed{token}
		p.owes++
	}
}
