package pmtud

import "time"

// Report takes in a receive report for the current outbound SA: the answer to
// the request id, the highest sequence number the peer has received, and its
// bitmap, where bit i of bits[k] stands for the number highest-64k-i. Work is
// bounded whatever the report says. A report that answers no request, or comes
// twice, changes nothing.
func (d *Discovery) Report(id uint64, highest uint32, bits []uint64, now time.Time) {
	if d.state == Disabled || d.cfg.Mode == Off {
		return
	}
	q := d.requests.answer(id)
	if q == nil {
		return
	}
	d.rtt.sample(now.Sub(q.sent))
	if d.state == Base || q.count == 0 || highest < q.top {
		return // nothing to judge, or the request overtook the packets it asks about
	}
	v := &d.detector
	v.relax(now)
	if v.learn(q, bitmap{highest, bits}, d.search.grid.min, d.plpmtu) {
		d.requests.unsettled = true
	}
	if v.suspicious() {
		v.alarm(now)
		d.blackHole(now)
	} else if v.tally.count > 0 {
		// Large packets were lost, too few to tell from chance, and nothing of
		// their size has come after them. A flow that has stalled sends no more.
		d.verifyPLPMTU(&v.verify, 0, now)
	}
}

// asks reports whether the peer is asked for reports. While no size is known to
// pass, the acks of the fans tell enough.
func (d *Discovery) asks() bool {
	return d.state != Disabled && d.state != Base && d.search.lo > 0 && !d.standby.on
}

// silenceAt returns when the absence of reports becomes a suspicion, zero if it
// does not.
func (d *Discovery) silenceAt() time.Time {
	if !d.asks() || d.standby.doubted || d.plpmtu <= d.search.grid.min {
		return time.Time{}
	}
	return d.requests.silentAt(d.detector.loss, d.rtt.timeout())
}
