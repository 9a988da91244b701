package pmtud

import "time"

// An rtt is the round-trip estimate of RFC 6298, section 2. The zero value has
// no sample. Samples come from probes and report requests, which are each sent
// once, so Karn's rule is met by construction.
type rtt struct {
	smoothed, variance time.Duration // SRTT and RTTVAR
}

const (
	initialTimeout = time.Second           // RFC 6298, 2.1
	granularity    = 10 * time.Millisecond // minimum allowance for a busy peer
	maxRTT         = time.Minute
)

// sample adds a measured round trip (RFC 6298, 2.2 and 2.3).
func (r *rtt) sample(d time.Duration) {
	if d <= 0 || d > maxRTT {
		return
	}
	if r.smoothed == 0 {
		r.smoothed, r.variance = d, d/2
		return
	}
	r.variance += ((r.smoothed - d).Abs() - r.variance) / 4
	r.smoothed += (d - r.smoothed) / 8
}

// timeout returns SRTT + 4 RTTVAR (RFC 6298, 2.3), a second before any sample.
func (r *rtt) timeout() time.Duration {
	if r.smoothed == 0 {
		return initialTimeout
	}
	return r.smoothed + max(4*r.variance, granularity)
}
