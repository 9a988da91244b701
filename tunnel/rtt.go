package tunnel

import "time"

// rttEstimate is the smoothed round-trip time of RFC 6298 section 2. The zero
// value has seen no sample.
type rttEstimate struct {
	smoothed time.Duration
	sampled  bool
}

func (r *rttEstimate) sample(d time.Duration) {
	if d < 0 {
		return
	}
	if !r.sampled {
		*r = rttEstimate{d, true}
		return
	}
	r.smoothed += (d - r.smoothed) / 8
}

func (r *rttEstimate) value() (time.Duration, bool) { return r.smoothed, r.sampled }
