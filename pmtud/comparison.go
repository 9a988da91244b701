package pmtud

import (
	"math"
	"time"
)

// A comparison is about a PLPMTU that probes contradict each other about: some pass, and
// some are lost. It sends verifications in pairs, a small probe beside each of the PLPMTU:
//
//	PLPMTU  small  PLPMTU  small  PLPMTU  small  PLPMTU  small  small
//
// Loss of any size, and bursts of it, hit both alike. A connection that has lost its large
// packets sends ever fewer, so data alone would tell ever later. Fans of pairs
// follow each other until they have told, whatever the connection sends.
//
// The number of probes is odd, so that on lines that take packets in turn the next fan's
// go by other ones.
type comparison struct {
	due   bool    // the next verification is one of pairs
	fans  int     // of this comparison so far
	clean int     // the last of them that have lost none of the PLPMTU
	limit backoff // between comparisons
}

const (
	comparedPairs = 4
	// comparedBytes is what a fan may have at least: the pairs of Ethernet's size.
	comparedBytes = comparedPairs*(ethernetMTU+minIPv4) + minIPv4
	// comparedFans is how many fans a comparison has at most, and cleanFans how many in a
	// row that lose none of the PLPMTU end it.
	comparedFans  = 24
	cleanFans     = 2
	firstCompared = time.Second
	maxCompared   = time.Minute
	// inexcusable is a share of large packets lost that no trial excuses: no connection
	// leaves it so by congestion.
	inexcusable = 0.5
)

func newComparison() comparison {
	return comparison{limit: backoff{first: firstCompared, limit: maxCompared}}
}

// pairs plans a fan of a comparison, and appends its sizes in the order of sending.
func (b budget) pairs(dst []int, size, small int) []int {
	n := min(comparedPairs, (b.packets-1)/2, (b.bytes-small)/(size+small))
	for range max(n, minCopies) {
		dst = append(dst, size, small)
	}
	return append(dst, small)
}

// A faring is what a fan tells of the PLPMTU and of small packets beside it.
type faring struct {
	large, largeLost int
	small, smallLost int
	// Those lost just after a probe that has arrived: of several lost in a row the first,
	// unless the row may have begun before the fan.
	largeFirst, smallFirst int
}

// bySize reports whether packets of the PLPMTU were lost more often than small ones.
func (f faring) bySize() bool { return f.largeLost*f.small > 2*f.smallLost*f.large }

// faring returns how the probes of the fan that has closed have fared.
func (d *Discovery) faring() (f faring) {
	arrived := false
	for i := range d.round.count {
		p := d.probes.number(d.round.first + uint32(i))
		lost := p.Outcome == Lost
		switch {
		case p.Outcome == Unsent || p.Outcome == Refused:
			continue
		case p.Size >= d.round.verify:
			f.large++
			if lost {
				f.largeLost++
			}
			if lost && arrived {
				f.largeFirst++
			}
		default:
			f.small++
			if lost {
				f.smallLost++
			}
			if lost && arrived {
				f.smallFirst++
			}
		}
		arrived = !lost
	}
	return f
}

// compare takes in a fan of pairs. It is evidence like that of reports: given that a
// probe was lost after one that has arrived, was it a large one? The fan begins with one
// that comes after none.
func (d *deliveries) compare(f faring) {
	if f.large == 0 || f.small == 0 {
		return
	}
	share := float64(f.large-1) / float64(f.large-1+f.small)
	even := suspectedRisk*share + 1 - share
	d.score += float64(f.largeFirst)*math.Log(suspectedRisk/even) - float64(f.smallFirst)*math.Log(even)
	d.score = min(max(d.score, 0), 2*strong)
	d.pairs.sent += float64(f.large)
	d.pairs.losses += float64(f.largeLost)
	if f.largeLost > 0 {
		d.pairs.events++
		d.pairs.calm++
	}
}

// contradictory reports whether fans of pairs have shown that the PLPMTU passes only
// sometimes, for its size.
func (d *deliveries) contradictory(excused float64) bool {
	return d.score >= strong && d.passedInPairs() && d.pairs.events >= 2 &&
		d.losesMuch() &&
		!d.large.rhythm.congested() && (excused >= inexcusable || !d.large.about(excused))
}

// losesMuch reports whether so much large data is lost that a connection backs off, as far
// as any was sent.
func (d *deliveries) losesMuch() bool { return d.large.losses >= severe*d.large.sent }

// passedInPairs reports whether a fan of pairs has shown that the PLPMTU can pass.
func (d *deliveries) passedInPairs() bool { return d.pairs.losses < d.pairs.sent }

// compares takes in that a verification has closed, and reports whether it was enough to
// begin or to end a trial. Else the next fan is one of pairs, if there is reason. A fan of
// which no probe of the PLPMTU has passed is for denied to judge.
func (d *Discovery) compares(confirmed bool, now time.Time) (told bool) {
	c, t, v := &d.comparison, &d.trial, &d.detector
	paired, size := d.round.paired, d.round.verify
	if d.standby.on || d.standby.doubted || !d.resting() || d.suspended.plpmtu > 0 || size != d.plpmtu || t.phase == smaller || t.phase == larger {
		c.fans = 0
		return false
	}
	f := d.faring()
	queued := d.round.started.Sub(v.sizes.waited) < d.rtt.smoothed // what fills it may have lost them
	switch {
	case !paired:
		c.fans = 0
	case !queued:
		v.sizes.compare(f)
	}
	if confirmed && v.sizes.contradictory(t.excuse(now)) {
		c.fans = 0
		if t.phase == control {
			d.settle(now)
		} else {
			d.trySmaller(now)
		}
		return d.plpmtu != size
	}
	c.clean++
	if f.bySize() {
		c.clean = 0
	}
	switch {
	case c.fans >= comparedFans || !paired && queued || paired && c.clean >= cleanFans || !paired && c.clean > 0:
		c.fans = 0
	case paired || d.beginsComparison(now):
		c.due = true
	}
	return false
}

// beginsComparison reports whether a comparison may begin now. Where most large data
// arrives, data tells enough.
func (d *Discovery) beginsComparison(now time.Time) bool {
	c := &d.comparison
	if !d.detector.sizes.losesMuch() {
		return false
	}
	if now.Sub(c.limit.next) > c.limit.limit {
		c.limit.reset()
	}
	return c.limit.allow(now)
}

// compareAfterSearch begins a comparison where a search has lost probes of sizes that pass:
// for their size, perhaps.
func (d *Discovery) compareAfterSearch(now time.Time) {
	if d.resting() && d.trial.phase == idle && !d.standby.on && d.cfg.Mode == Fan && !d.comparison.due && d.beginsComparison(now) {
		d.comparison.due = true
	}
}

// compareFurther has the next fan of a comparison leave, if one is due.
func (d *Discovery) compareFurther() {
	c := &d.comparison
	if !c.due || d.verify > 0 || !d.resting() || d.suspended.plpmtu > 0 {
		return
	}
	if c.due = d.plpmtu > d.search.grid.min && d.trial.phase != smaller && d.trial.phase != larger; c.due {
		d.verify = d.plpmtu
		c.fans++
	}
}
