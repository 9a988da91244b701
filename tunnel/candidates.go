package tunnel

import (
	"io"
	"time"

	"fathom/crypto"
)

// candidateGap is how long one of several candidates has to answer before the next is
// called as well: the first that answers is taken. It is the Connection Attempt Delay
// that RFC 8305 section 5 recommends.
const candidateGap = 250 * time.Millisecond

// places returns how many places nextEndpoint goes round.
func (p *peer) places() int {
	if p.path != nil {
		return len(p.candidates) + 1
	}
	return len(p.candidates)
}

// elsewhere reports whether one of them is another than the first.
func (p *peer) elsewhere() bool {
	if len(p.candidates) == 1 && p.path != nil {
		return p.candidates[0] != p.path.Remote()
	}
	return p.places() > 1
}

// initiationWait is how long the next initiation waits for an answer before the one
// after it. In the first round each of several places is called soon after the one
// before; from then on they are called as a single one is.
func (p *peer) initiationWait(random io.Reader) time.Duration {
	attempt := p.initiations.attempts
	if p.elsewhere() {
		last := p.places() - 1
		if attempt < last {
			return candidateGap
		}
		attempt -= last
	}
	if len(p.endpoints) == 0 {
		// It is called where it was last heard. As long as it is off line, or
		// elsewhere, that leads nowhere, and when it is back it calls.
		return crypto.RetryRarely(attempt, random)
	}
	return crypto.RetryAfter(attempt, random)
}
