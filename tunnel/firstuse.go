package tunnel

import "time"

// firstUse returns how long it took from our response to the first packet on the
// pair, for which the peer does not wait: a round trip. If that packet may have been
// lost and another came first, the time says nothing: it is 0 then, and uncertain.
func (p *saPair) firstUse(now time.Time) (rtt time.Duration, certain bool) {
	rtt = now.Sub(p.established)
	if rtt >= confirmEvery || p.inbound.missedFirst() {
		return 0, false
	}
	return rtt, true
}

// missedFirst reports whether packets have arrived on the SA, but not the first.
func (sa *inboundSA) missedFirst() bool {
	sa.mu.Lock()
	defer sa.mu.Unlock()
	w := sa.in.Window()
	return w.Highest() > 1 && w.Check(1) == nil
}
