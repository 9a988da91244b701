package pmtud

import "time"

// Confirm asks for a probe of the PLPMTU, which stays in use: the work of
// CONFIRMATION_TIMER (RFC 8899, 5.1.1), which the caller keeps. The probe goes alone.
// Where it is not answered a fan verifies the PLPMTU, with probes of a small size
// beside it, so that an outage is not taken for a smaller path.
//
// It reports whether that will be done: not while a search or another verification is
// under way, nor in the sequential mode.
func (d *Discovery) Confirm() bool {
	if d.cfg.Mode != Fan || !d.resting() || d.verify > 0 || d.round.open || d.suspended.plpmtu > 0 {
		return false
	}
	d.verify, d.alone = d.plpmtu, d.plpmtu > d.search.grid.min
	return true
}

// closeAlone draws the conclusion of a round of one probe.
func (d *Discovery) closeAlone(now time.Time) {
	lossy := d.search.lossy
	told := d.round.close(&d.probes, &d.search, d.rtt.smoothed, now)
	d.search.lossy = lossy // one loss says nothing of the others
	if !told.confirmed {
		d.verify = d.plpmtu
	}
}

// Copies says as how many packets each probe leaves from now on. It passes if all of
// them do, so chance has more to lose. All packets of a fan share its budget, except what
// each fan needs: a sentinel and two more probes, and, of a size to be confirmed, two
// probes of any size. So with n copies, and M the largest size probed, a fan has at most
// max(10, 3·n) packets and max(14720, 2·n·M) bytes, and a few sentinels. One of a
// comparison has five probes at least: max(10, 5·n) packets.
func (d *Discovery) Copies(n int) { d.copies = max(n, 1) }

// each is the part of a fan's budget that is left for one of the copies.
func (b budget) each(copies int) budget {
	if copies > 1 {
		b.packets, b.bytes = max(b.packets/copies, minFan), b.bytes/copies
	}
	return b
}

// anyLost is the probability that one of several packets is lost.
func anyLost(loss float64, packets int) float64 {
	passes := 1.0
	for range packets {
		passes *= 1 - loss
	}
	return 1 - passes
}
