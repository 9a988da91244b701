package pmtud

import "math"

// A tally adds up, over several reports, the packets that did not arrive: a flow
// that has stalled sends too few large packets for one report to be enough.
type tally struct {
	missing   [maxEvidence]int // sizes that no later packet of the size or more has contradicted
	count     int
	arrived   int // packets that have arrived since the first of them
	unrelated int // packets lost since that are too small for their size to be why
}

// lost adds a packet that has not arrived.
func (t *tally) lost(size int) {
	if t.count < len(t.missing) {
		t.missing[t.count] = size
		t.count++
	}
}

// passed takes in a packet that has arrived. It returns how many earlier losses
// it contradicts: packets of its size or less, not lost for their size.
func (t *tally) passed(size int) (contradicted int) {
	kept := 0
	for _, s := range t.missing[:t.count] {
		if s > size {
			t.missing[kept] = s
			kept++
		}
	}
	contradicted = t.count - kept
	t.count = kept
	t.arrived++
	if kept == 0 {
		*t = tally{}
	}
	return contradicted
}

// suspicious reports whether the larger packets vanish while smaller ones
// arrive, given how many losses are evidence. The report itself counts as the
// arrival of a small packet: its request.
func (t *tally) suspicious(enough int) bool {
	arrived := t.arrived + 1
	if t.unrelated >= arrived {
		return false // a burst, or an outage
	}
	return t.count >= enough && arrived >= 2 || t.count >= 2*enough || t.count == len(t.missing)
}

// inARow returns how many losses in a row are less likely than odds, at least
// minimum.
func inARow(loss, odds float64, minimum int) int {
	if loss < 0.001 {
		return minimum
	}
	return max(minimum, int(math.Ceil(math.Log(odds)/math.Log(min(loss, 0.9)))))
}
