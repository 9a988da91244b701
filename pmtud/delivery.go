package pmtud

import (
	"math"
	"time"
)

const (
	// window is the time in which the weight of what was delivered halves.
	window = 30 * time.Second
	// suspectedRisk is how many times as often large packets would have to be lost as
	// small ones, for their size.
	suspectedRisk = 8
	// headers is about what a packet has beside its payload, in bytes.
	headers = 64
	// longestGap is how long nothing may be sent, for want of acknowledgments, not of
	// data.
	longestGap = 10 * time.Second
	// leastQueue is how long a wait in a queue is more than a host's hesitation.
	leastQueue = 2 * time.Millisecond
)

// A class is how the packets of a class of sizes fared of late: a sum that decays.
type class struct {
	sent   float64
	events float64   // loss events (RFC 5348, 5.2): losses within a round trip are one
	losses float64   // packets lost
	calm   float64   // loss events while no queue stood on the path
	last   time.Time // when the last event began
	rhythm rhythm    // of the events, which does not fade with time

	now, lost int  // packets of the report that is read, and how many of them were lost
	gaps      int  // of these: losses in a row count once, since a train or a full queue loses many at once
	inGap     bool // the last of them was lost
}

// count takes in a packet of the report that is read.
func (c *class) count(arrived bool) {
	c.now++
	if !arrived {
		c.lost++
		if !c.inGap {
			c.gaps++
		}
	}
	c.inGap = !arrived
}

// fade lets the past count for less.
func (c *class) fade(by float64) {
	c.sent, c.events, c.losses, c.calm = c.sent*by, c.events*by, c.losses*by, c.calm*by
}

// add takes in the packets of one report; queued says that they have waited.
func (c *class) add(srtt time.Duration, at time.Time, queued bool) {
	c.sent += float64(c.now)
	c.losses += float64(c.lost)
	c.rhythm.add(c.now)
	switch {
	case at.Sub(c.last) < srtt:
		c.rhythm.pause()
	case c.lost > 0:
		c.events++
		c.rhythm.event()
		if !queued {
			c.calm++
		}
		c.last = at
	}
	c.now, c.lost, c.gaps, c.inGap = 0, 0, 0, false
}

// deliveries tell, from reports, how packets of the PLPMTU fare beside small
// ones. What is lost of both classes alike is not lost for its size.
type deliveries struct {
	above, upTo  int // larger packets are large, and packets up to it are small
	large, small class
	// score is Page's CUSUM of the partial likelihood of losses: given that a packet
	// was lost, how much likelier it is a large one if those are lost suspectedRisk
	// times as often. How much is lost altogether, and when, does not matter.
	score    float64
	run      int       // large packets lost since one has arrived
	misses   int       // loss events since then
	heard    time.Time // when a report last told of large packets
	payload  float64
	time     float64 // seconds in which that payload has arrived, and all was sent
	asked    time.Time
	base     time.Duration // round trip without a queue
	waited   time.Time     // when the last request left that has waited in a queue
	recorded bool          // the record began anew, for a trial
	// Probes of the PLPMTU in pairs with small ones.
	pairs class
}

// begin starts anew with packets of a PLPMTU: those above a size count.
func (d *deliveries) begin(plpmtu, above int) {
	small := d.small
	*d = deliveries{above: max(above, plpmtu*3/4), upTo: plpmtu / 2, asked: d.asked, heard: d.heard, base: d.base, waited: d.waited}
	d.small = class{sent: small.sent, events: small.events, losses: small.losses, calm: small.calm, last: small.last}
}

// count takes in a packet of a report. Large control messages are probes: they tell
// what can pass, not what does.
func (d *deliveries) count(size int, control, arrived bool) {
	if control && size > d.upTo {
		return
	}
	if arrived && !control {
		d.payload += float64(max(size-headers, 0))
	}
	c := &d.small
	switch {
	case size > d.above:
		c = &d.large
	case size > d.upTo:
		return
	}
	c.count(arrived)
	if c == &d.large && arrived {
		d.run, d.misses = 0, 0
	} else if c == &d.large {
		d.run++
	}
}

// queued takes in a round trip. It reports whether packets waited in a queue
// meanwhile: one that is full loses large packets rather than small ones, by any size
// of the large ones. The shortest round trip counts as the one without a queue, and
// is forgotten slowly, since the path may have become another one.
func (d *deliveries) queued(sample time.Duration) bool {
	if d.base == 0 || sample < d.base {
		d.base = sample
	}
	d.base += (sample - d.base) / 4096
	return sample > d.base+max(d.base/8, leastQueue)
}

// report ends a report whose request left at the given time, and was answered after
// the time sample.
func (d *deliveries) report(asked time.Time, srtt, sample time.Duration) {
	queued := d.queued(sample)
	if queued {
		d.waited = asked
	}
	past := asked.Sub(d.asked)
	if past <= 0 || d.asked.IsZero() {
		past = max(srtt, requestInterval)
	}
	past = min(past, longestGap)
	by := math.Exp2(-past.Seconds() / window.Seconds())
	d.asked = asked
	d.time = d.time*by + past.Seconds()
	d.payload *= by
	d.large.fade(by)
	d.small.fade(by)
	large, small := d.large.gaps, d.small.gaps
	if d.large.now > 0 {
		d.heard = asked
	}
	d.large.add(srtt, asked, queued)
	if d.run > 0 && d.large.last.Equal(asked) {
		d.misses++
	}
	d.small.add(srtt, asked, queued)
	even := d.mixed()
	d.score += float64(large)*math.Log(suspectedRisk/even) - float64(small)*math.Log(even)
	d.score = min(max(d.score, 0), 2*strong)
}

// mixed returns the odds of a loss that the classes have together, if a large
// packet is lost suspectedRisk times as often as a small one.
func (d *deliveries) mixed() float64 {
	share := d.large.sent / max(d.large.sent+d.small.sent, 1)
	return suspectedRisk*share + 1 - share
}

const (
	// strong is ln 10,000: a false alarm takes as many losses on average, or more.
	strong    = 9.2
	minEvents = 2.5 // three, faded a little
	minMisses = 3
	// weakEvents is how many loss events are a sign where too few small packets are
	// sent for a comparison.
	weakEvents = 8
	// The record that a trial is compared with begins anew at the first sign, so that
	// it is not of a moment chosen for its losses, such as a slow start. It has
	// minEvents where more than severe of all is lost, and recordEvents elsewhere: with
	// half as many, a smaller size that fills the path, and has losses by that, could not
	// be told from one that is no better.
	recordEvents = 16
	severe       = 0.05
	// leastLoss is the least share of packets lost in events that matters.
	leastLoss = 1e-4
	// chance is how many losses more than twice as many as expected come by chance, once
	// in a thousand times or less (Poisson).
	chance = 4
)

// suspicious reports whether large packets may be lost for their size, and
// whether it matters. row is how many of them lost in a row are no chance; told
// says that a router has said so, of a packet that was lost. excused is a share of large
// packets lost that is known to have another cause, 0 if none is.
func (d *deliveries) suspicious(row int, srtt time.Duration, told bool, excused float64) bool {
	n, even := d.large.events, d.mixed()
	most := n * math.Log(suspectedRisk/even) // if no small packet was lost
	if most-d.small.events*math.Log(even) < most/2 {
		return false // they are lost alike
	}
	strongly := n >= minEvents && (d.score >= strong || told && d.score >= strong/2)
	weakly := n >= weakEvents && n >= leastLoss*d.large.sent && d.limits(srtt) && d.large.calm >= n/4
	switch {
	case d.all(row):
		return true
	case !told && (d.large.rhythm.congested() || d.large.about(excused)):
		return false
	case !d.recorded:
		if strongly || weakly {
			d.large, d.payload, d.time, d.recorded = class{last: d.large.last, rhythm: d.large.rhythm}, 0, 0, true
		}
		return false
	case d.large.losses >= severe*d.large.sent:
		return strongly
	}
	return n >= recordEvents && weakly
}

// accuses reports whether packets of the PLPMTU may be lost for their size, though that is not
// certain yet.
func (d *deliveries) accuses() bool { return d.recorded || d.score > 0 }

// condemns reports whether packets of a size on trial are certainly lost for their size, and many.
func (d *deliveries) condemns(size int) bool {
	return d.score >= strong && d.record(size).lost() >= severe
}

// all reports whether all large packets are lost: row of them, and for several round
// trips, since a queue without room loses a whole train.
func (d *deliveries) all(row int) bool { return d.run >= row && d.misses >= minMisses }

// about reports whether as much is lost as a share, within a factor of two and what
// chance makes of few packets.
func (c *class) about(share float64) bool {
	expected := share * c.sent
	return share > 0 && c.losses >= expected/2-chance && c.losses <= expected*2+chance
}

// limits reports whether TCP would send about what is sent because of the loss
// (RFC 5348, 3.1, simplified), not less for want of data.
func (d *deliveries) limits(srtt time.Duration) bool {
	window := math.Sqrt(1.5 * d.large.sent / d.large.events)
	return d.large.sent/d.time*srtt.Seconds() >= window/2
}

// A record is how packets of a size fared.
type record struct {
	size    int
	large   class
	goodput float64 // payload, bytes a second
}

func (d *deliveries) record(size int) record {
	r := record{size, d.large, d.payload / max(d.time, 1e-3)}
	r.large.sent += d.pairs.sent
	r.large.events += d.pairs.events
	r.large.losses += d.pairs.losses
	r.large.calm += d.pairs.calm
	return r
}

// lost returns the share of packets that was lost.
func (r record) lost() float64 { return r.large.losses / max(r.large.sent, 1) }

// payload returns what arrives of a packet, on average, in bytes.
func (r record) payload() float64 { return float64(r.size-headers) * (1 - r.lost()) }

// A verdict says how a size on trial fares.
type verdict uint8

const (
	undecided verdict = iota
	better            // more arrives with it
	noBetter
)

const (
	trialAlpha = 6.9 // ln 1000: one trial in a thousand finds fewer losses where there are not
	trialBeta  = 3   // ln 20
	trialMost  = 32  // loss events that were to be expected, and are enough
	// trialTime is how long fewer losses may take to show in what TCP sends.
	trialTime = 10 * time.Second
	// largerTime is how long TCP may carry less with a larger size: it need not grow, it
	// must stay what it was.
	largerTime = trialTime / 2
	// gain is how much more payload must arrive where each packet carries less.
	gain = 1.1
)

// judge compares a size on trial, for some time, with a larger one. The payload that
// TCP carries is as size/√loss (RFC 5348, 3.1), so the losses that count are those
// beyond size²: a connection that fills the path has those by any size. Fewer losses
// alone are no gain for other traffic, or for TCP that has no more to send: either
// more must arrive of each packet, or more in all.
func judge(was, is record, lasted time.Duration) verdict {
	lost := fewer(was, is)
	if lost != better || is.payload() > was.payload() || is.goodput > gain*was.goodput {
		return lost
	}
	if lasted < trialTime {
		return undecided
	}
	return noBetter
}

// judgeLarger compares a size on trial with the size that lost, and with the smaller
// one that does pass. It need not wait for losses to show where less has arrived for
// long enough.
func judgeLarger(lost, passes, is record, lasted time.Duration) verdict {
	v, carries := fewer(lost, is), is.goodput >= passes.goodput/gain
	switch {
	case !carries && lasted >= largerTime:
		return noBetter
	case v == better && !carries:
		return undecided
	}
	return v
}

// judgeControl compares the larger size, which is used again, with what it lost before.
// It is worse, and the smaller size the better one, only if it loses again while no
// queue stands, or for long.
func judgeControl(was, is record) verdict {
	switch again := is.lost() >= was.lost()/2; {
	case again && (is.large.calm >= minEvents || is.large.events >= recordEvents):
		return better
	case fewer(was, is) == better:
		return noBetter
	}
	return undecided
}

// fewer compares the losses. It is a sequential likelihood ratio test of two
// Poisson rates: for fewer losses generalized, against none fewer with half as many
// as the alternative.
func fewer(was, is record) verdict {
	scale := float64(is.size) / float64(was.size)
	sent := is.large.sent * scale * scale
	if sent == 0 || was.large.events == 0 {
		return undecided
	}
	all, events := was.large.sent+sent, was.large.events+is.large.events
	rate := was.large.events / was.large.sent
	likely := was.large.events*math.Log(rate*all/events) + xlog(is.large.events, is.large.events/sent*all/events)
	lower := is.large.events/sent <= 0.6*rate && is.lost() <= 0.6*was.lost()
	if lower && likely >= trialAlpha {
		return better
	}
	half := was.large.events*math.Ln2 - events*math.Log((2*was.large.sent+sent)/all)
	switch {
	case half <= -trialBeta:
		return noBetter
	case rate*sent < trialMost:
		return undecided
	case lower:
		return better
	}
	return noBetter
}

// xlog returns n·ln x, 0 for no n.
func xlog(n, x float64) float64 {
	if n == 0 {
		return 0
	}
	return n * math.Log(x)
}
