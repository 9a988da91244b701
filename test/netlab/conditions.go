package netlab

import (
	"math/rand/v2"
	"time"
)

// Dir names a direction of a UserLink.
type Dir int

const (
	AtoB Dir = iota
	BtoA
)

func (d Dir) String() string {
	if d == AtoB {
		return "A to B"
	}
	return "B to A"
}

// Verdict is a Filter's decision about a packet.
type Verdict int

const (
	Pass Verdict = iota // go on: MTU, loss, rate and delay still apply
	Drop                // and count it as Filtered
)

// Filter sees every packet of a UserLink first, as it is on the wire. It may
// change the bytes in place (checksums are its own affair) but must not keep
// them. Each direction calls it from a goroutine of its own.
type Filter func(dir Dir, packet []byte) Verdict

// Conditions are those of one direction of a UserLink. The zero value is a
// perfect wire. Probabilities are from 0 to 1.
type Conditions struct {
	Delay  time.Duration // of every packet, after it has left the queue
	Jitter time.Duration // added to Delay: uniform between -Jitter and +Jitter; keeps order

	Loss        float64 // probability that a packet is lost, each by itself
	BurstStart  float64 // probability that a packet is the first of a burst of losses
	BurstLength float64 // mean number of packets in a burst, at least 1 (Gilbert's model)

	Duplicate float64       // probability that a packet arrives twice
	Reorder   float64       // probability that a packet is held back, so that later ones overtake it
	ReorderBy time.Duration // for how long; 0 means defaultReorderBy

	Rate  int64 // bits of IP packets per second; 0 is unlimited
	Queue int   // bytes of IP packets that may wait for Rate (tail drop); 0 means defaultQueue, and one packet always fits
	MTU   int   // bytes; longer IP packets vanish; 0 is unlimited

	// Lines are those of a bundle that carries packets in turn, each by the next
	// line: first as many as the share of the first line, and so on. MTU counts for
	// all of them. Empty: the direction is one line.
	Lines []Line
	// TellMTU has the direction answer what is longer than an MTU with a PTB, as a
	// router does that is one hop away, and in the name of where it goes.
	TellMTU bool

	LongLoss float64 // probability that a packet longer than Long is lost, beside Loss
	Long     int     // bytes of an IP packet
}

// Line is one of a bundle.
type Line struct {
	MTU   int // as in Conditions
	Share int // packets that it takes in its turn; 0 means 1
}

const (
	defaultReorderBy = 2 * time.Millisecond
	// defaultQueue is how long a full queue of unstated size takes to drain.
	defaultQueue = 100 * time.Millisecond
)

func (c *Conditions) queueBytes() int {
	if c.Queue > 0 {
		return c.Queue
	}
	return int(float64(c.Rate) / 8 * defaultQueue.Seconds())
}

func (c *Conditions) reorderBy() time.Duration {
	if c.ReorderBy > 0 {
		return c.ReorderBy
	}
	return defaultReorderBy
}

// loss is the probability that a packet of length bytes is lost by itself.
func (c *Conditions) loss(length int) float64 {
	if length > c.Long && c.LongLoss > 0 {
		return 1 - (1-c.Loss)*(1-c.LongLoss)
	}
	return c.Loss
}

// turn counts the packets that the lines of a bundle have taken.
type turn int

// mtu is that of the line that takes the next packet, 0 if it is unlimited.
func (n *turn) mtu(c *Conditions) int {
	all := 0
	for _, line := range c.Lines {
		all += max(line.Share, 1)
	}
	if all == 0 {
		return c.MTU
	}
	at := int(*n) % all
	*n = turn(at + 1)
	for _, line := range c.Lines {
		if at -= max(line.Share, 1); at < 0 {
			return smaller(c.MTU, line.MTU)
		}
	}
	return c.MTU
}

// smaller of two MTUs, either of which may be unlimited.
func smaller(a, b int) int {
	if a == 0 || b > 0 && b < a {
		return b
	}
	return a
}

// fate is the outcome of chance for one packet.
type fate struct {
	lost, duplicated, heldBack bool
	jitter                     time.Duration
}

// dice draws fates. The n-th fate depends on the seed, n and the conditions
// that held for the packets up to the n-th, and on nothing else: every packet
// takes the same number of draws.
type dice struct {
	random *rand.Rand
	burst  bool // the packets before this one are in a burst of losses
}

func newDice(seed uint64, dir Dir) dice {
	return dice{random: rand.New(rand.NewPCG(seed, uint64(dir)))}
}

func (d *dice) next(c *Conditions, length int) (f fate) {
	loss, burst := d.random.Float64(), d.random.Float64()
	duplicate, reorder, jitter := d.random.Float64(), d.random.Float64(), d.random.Float64()
	if d.burst {
		d.burst = c.BurstLength > 1 && burst < 1-1/c.BurstLength
	} else {
		d.burst = burst < c.BurstStart
	}
	f.lost = d.burst || loss < c.loss(length)
	f.duplicated = duplicate < c.Duplicate
	f.heldBack = reorder < c.Reorder
	f.jitter = time.Duration((2*jitter - 1) * float64(c.Jitter))
	return f
}
