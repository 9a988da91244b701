package history

import "time"

const (
	// spanLength is how long a span of traffic is that no event ends.
	spanLength = time.Minute
	// restLength is how long it is while nothing flows.
	restLength = time.Hour
)

// span is a span of traffic that has not ended. A rest is part of none: traffic that
// follows on it begins a new span, or its rate would be that of the whole hour.
type span struct {
	began   time.Time // zero: not yet
	looked  time.Time // the last look
	rests   bool      // until then nothing had flowed
	down    bool      // and the peer was not up: that is no part of a span, either
	was     View      // at the begin
	omitted uint64    // events that were not recorded
}

// look appends the traffic if the span is over, which an event can make it. plpmtu is the
// one that was in use.
func (s *span) look(dst []Record, v *View, plpmtu int, event bool, now time.Time) []Record {
	if s.began.IsZero() {
		s.begin(v, now)
		return dst
	}
	flowed := v.TxPackets != s.was.TxPackets || v.RxPackets != s.was.RxPackets
	if s.down && !flowed {
		s.began = now
	}
	s.down = !v.Up
	if flowed && s.rests && s.looked.Sub(s.began) >= spanLength {
		s.began = s.looked
	}
	s.rests, s.looked = !flowed, now
	length := now.Sub(s.began)
	over := length >= restLength || flowed && event || (flowed || s.omitted > 0) && length >= spanLength
	if !over || length <= 0 {
		return dst
	}
	dst = append(dst, s.record(v, plpmtu, now))
	s.begin(v, now)
	return dst
}

// record is what has flowed until now.
func (s *span) record(v *View, plpmtu int, now time.Time) Record {
	length := now.Sub(s.began)
	return Record{At: wall(now).Add(-length), Kind: Flow, Lasted: Seconds(length), Traffic: &Traffic{
		TxBytes: v.TxBytes - s.was.TxBytes, RxBytes: v.RxBytes - s.was.RxBytes,
		TxPackets: v.TxPackets - s.was.TxPackets, RxPackets: v.RxPackets - s.was.RxPackets,
		PLPMTU: plpmtu, LossPercent: v.LossPercent, RTTMillis: v.RTTMillis,
		Handshakes: v.Handshakes - s.was.Handshakes, Omitted: s.omitted,
	}}
}

func (s *span) begin(v *View, now time.Time) {
	*s = span{began: now, looked: now, rests: true, was: *v}
}
