package paths

import "time"

// An rtt is the round-trip estimate of a pair (RFC 6298, section 2). Samples come
// from challenges that were not repeated before their answer came. Each has a token of
// its own, so that is no question of which was answered, as it is for Karn's rule (section
// 3): see challenges.tells. The zero value has no sample.
type rtt struct {
	smoothed, variance time.Duration // SRTT and RTTVAR
}

const (
	// initialRTT stands for a round trip that was never measured (RFC 9002, 6.2.2).
	initialRTT = 333 * time.Millisecond
	// granularity is the least allowance for a busy peer.
	granularity = 10 * time.Millisecond
)

// sample adds a measured round trip (RFC 6298, 2.2 and 2.3).
func (r *rtt) sample(d time.Duration) {
	if d <= 0 || d > answerableFor {
		return
	}
	if r.smoothed == 0 {
		r.smoothed, r.variance = d, d/2
		return
	}
	r.variance += ((r.smoothed - d).Abs() - r.variance) / 4
	r.smoothed += (d - r.smoothed) / 8
}

// orInitial returns the estimate, or what stands for one.
func (r rtt) orInitial() rtt {
	if r.smoothed == 0 {
		return rtt{initialRTT, initialRTT / 2}
	}
	return r
}

// timeout returns SRTT + 4 RTTVAR (RFC 6298, 2.3).
func (r rtt) timeout() time.Duration {
	r = r.orInitial()
	return r.smoothed + max(4*r.variance, granularity)
}
