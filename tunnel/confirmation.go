package tunnel

import "time"

const (
	// confirmMargin is how much longer than the handshake and a quarter of it the
	// answer to an echo may take before the next one.
	confirmMargin = 5 * time.Millisecond
	// quickEchoes is how many echoes follow each other as fast as the path answers;
	// from then on they are confirmEvery apart.
	quickEchoes  = 6
	confirmEvery = time.Second
	// maxEchoes is how many are sent before this end calls the peer again.
	maxEchoes = 8
)

// A pair that this end has asked for is confirmed when the peer sends on it. If the
// peer has nothing to send it would not, so an echo goes out on the pair at once;
// its answer comes by the pair that the peer sends on. When it does not come in
// time, the pair is doubted and the echo repeated, for as long as the pair lives: it
// must not be that one end has switched and the other does not know.

// awaited returns when the next echo on an unconfirmed pair follows one that is
// sent now.
func (p *saPair) awaited() time.Duration {
	wait := p.rtt + p.rtt/4 + confirmMargin
	if p.echoes > quickEchoes {
		return max(wait, confirmEvery)
	}
	return wait
}

// confirm has the peer follow this end to the newest pair.
func (c *controller) confirm(p *peer, now time.Time) {
	pair := p.sas.unconfirmed()
	if pair == nil || now.Before(pair.echoAt) {
		return
	}
	if pair.echoes > 0 && !pair.doubted && p.sas.doubt(pair, now) {
		c.follow(p, "", now)
	}
	if pair.echoes >= maxEchoes {
		p.initiations.want(now)
	}
	pair.echoes++
	pair.echoAt = now.Add(pair.awaited())
	c.messenger.echoOn(p, pair, now)
}

// confirmAt returns when confirm is due for the newest pair, zero if it is not.
func (p *peer) confirmAt() time.Time {
	if pair := p.sas.unconfirmed(); pair != nil {
		return pair.echoAt
	}
	return time.Time{}
}
