package pmtud

// A rhythm is how regularly large packets are lost. Congestion has one: a connection
// sends more and more until a queue or a policer is full, and begins again. A policer
// lets small packets pass, as a size that is lost does, and there is no wait that
// betrays it. But loss by size has no memory: the number of packets from one loss event
// to the next is geometric, with a standard deviation like its mean.
type rhythm struct {
	since        float64 // packets since the round trip of the last loss event
	events       float64 // the last ones count most
	sum, squares float64 // of the packets before each of them
}

const (
	// rhythmEvents is how many loss events a rhythm remembers.
	rhythmEvents = 16
	// regular is the share of its mean that the standard deviation has at most.
	regular = 0.5
	// leastGap is the least mean number of packets between loss events: a report that
	// holds as many hides how regular they are.
	leastGap = 20
)

// add takes in packets of one report.
func (r *rhythm) add(packets int) { r.since += float64(packets) }

// event takes in that a loss event has begun among the packets added last.
func (r *rhythm) event() {
	const by = 1 - 1.0/rhythmEvents
	r.events = r.events*by + 1
	r.sum = r.sum*by + r.since
	r.squares = r.squares*by + r.since*r.since
	r.since = 0
}

// pause takes in that the packets added last belong to the last loss event.
func (r *rhythm) pause() { r.since = 0 }

// congested reports whether the loss events are too regular for chance.
func (r *rhythm) congested() bool {
	return r.events >= rhythmEvents/2 && r.sum >= leastGap*r.events &&
		r.squares*r.events < (1+regular*regular)*r.sum*r.sum
}
