package paths

import "time"

// A Role says who decides by which pair both ends send.
type Role uint8

const (
	Roaming  Role = iota // nobody: each end chooses for itself, and follows the other
	Decider              // this end
	Follower             // the peer
)

var roleNames = [...]string{"roaming", "decider", "follower"}

func (r Role) String() string { return roleNames[r] }

// roleOf: an end that has several pairs of its own decides; of two such ends the
// one with the greater public key, as with colliding handshakes.
func roleOf(we, peer, oursIsGreater bool) Role {
	switch {
	case we && (!peer || oursIsGreater):
		return Decider
	case peer:
		return Follower
	}
	return Roaming
}

// A generation numbers the decisions. They are compared as serial numbers (RFC
// 1982), so there is no last one. Those of the end with the greater public key
// are odd, those of the other end are even: two ends that both decided, because
// they did not know of each other yet, never mean different pairs by one number.
type generation uint32

func (g generation) newer(than generation) bool { return int32(g-than) > 0 }

// next returns the first generation of an end's own after g.
func (g generation) next(oursIsGreater bool) generation {
	g++
	if (g&1 == 1) != oursIsGreater {
		g++
	}
	return g
}

// announceLimit bounds the wait before a decision is told again.
const announceLimit = 15 * time.Second

// A decision is what both ends send by, as one end knows it. The zero value is
// that of two ends that have not moved.
type decision struct {
	// generation is that of the decider's last decision, of the last one that a
	// follower has obeyed.
	generation generation
	// heard is the highest generation that a follower was told.
	heard generation
	// untold: no response has carried the decision yet.
	untold bool
	next   time.Time // when to tell it again
	tries  int
}

// decide begins to tell a new decision.
func (d *decision) decide(oursIsGreater bool, now time.Time) {
	d.generation = d.generation.next(oursIsGreater)
	d.untold, d.next, d.tries = true, now, 0
}

// told notes that the decision leaves now; an answer takes up to timeout.
func (d *decision) told(timeout time.Duration, now time.Time) {
	d.next = now.Add(min(timeout<<min(d.tries, 10), announceLimit))
	d.tries++
}

// confirm takes in the generation that a response carries. A follower may know a
// higher one, from before this end began anew: this end then decides again, above
// it.
func (d *decision) confirm(g generation, oursIsGreater bool, now time.Time) {
	switch {
	case g == d.generation:
		d.untold = false
	case !g.newer(d.generation):
	case d.untold:
		d.generation = g
		d.decide(oursIsGreater, now)
	default:
		d.generation = g
	}
}

// hear takes in that the decider tells a generation. It reports whether that is
// to be obeyed, once its pair is proved.
func (d *decision) hear(g generation) bool {
	if !g.newer(d.generation) {
		return false
	}
	if g.newer(d.heard) || !d.heard.newer(d.generation) {
		d.heard = g
	}
	return g == d.heard
}
