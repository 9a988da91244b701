package history

import "time"

// leastStep is by how much the wall clock must differ from what has passed since the last
// look, to have been set. Less is how clocks are disciplined.
const leastStep = time.Second

// A Clock tells when the wall clock is set, and when the host sleeps. Look is to be called
// now and then: it compares what each clock has counted since.
type Clock struct {
	wall            time.Time
	running, asleep time.Duration
}

// Look takes the wall clock, a clock that nobody sets and that stands still while the
// host sleeps, and for how long that has slept so far. It appends what has happened since
// the last look.
func (c *Clock) Look(dst []Record, wall time.Time, running, asleep time.Duration) []Record {
	was := *c
	*c = Clock{wall.Round(0), running, asleep}
	if was.wall.IsZero() {
		return dst
	}
	slept := asleep - was.asleep
	if slept >= leastStep {
		dst = append(dst, Record{At: c.wall.Add(-slept), Kind: Slept, Lasted: Seconds(slept)})
	}
	if step := c.wall.Sub(was.wall) - (running - was.running) - slept; step.Abs() >= leastStep {
		dst = append(dst, Record{At: c.wall, Kind: ClockSet, Lasted: Seconds(step)})
	}
	return dst
}
