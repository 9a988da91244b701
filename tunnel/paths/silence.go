package paths

import "time"

// Traffic is what the caller knows of the packets that it sends and receives.
type Traffic struct {
	// Sent and Received count the packets of data, Heard all authentic packets,
	// by whichever pair. They never shrink.
	Sent, Received, Heard uint64
	// Unanswered counts the last report requests in a row that were sent by the pair
	// in use and have no report; Asked is when the first of them left.
	Unanswered int
	Asked      time.Time
	// SRTT and RTTVAR are those of the pair in use, zero if unknown.
	SRTT, RTTVAR time.Duration
}

const (
	// enoughRequests without a report are a sign that nothing passes. They leave
	// about every half round trip while data flows (package pmtud).
	enoughRequests = 3
	// quietRoundTrips, but at least quietAfter, is how long data may be sent without
	// hearing anything before that is such a sign, where data is too thin for
	// reports.
	quietRoundTrips = 4
	quietAfter      = 500 * time.Millisecond
	// maxFalseAlarms bounds how often quietAfter doubles when it was no sign.
	maxFalseAlarms = 5
)

// A silence notes for how long data has had no answer. The zero value is ready.
type silence struct {
	traffic     Traffic   // at the last look
	since       time.Time // since when data was sent and nothing heard; zero: it is heard
	heard       time.Time // the last look that found something heard
	judged      time.Time // requests that had left by then are no sign any more
	falseAlarms int       // since something was heard that was not asked for
	doubted     time.Time // when the pair in use was last challenged for it
	doubts      int       // since something was heard that was not asked for
}

// look takes in the traffic. It reports whether data has flowed since the look
// before.
func (s *silence) look(t Traffic, now time.Time) (flows bool) {
	sent, received, heard := t.Sent != s.traffic.Sent, t.Received != s.traffic.Received, t.Heard != s.traffic.Heard
	if heard {
		s.since, s.heard = time.Time{}, now
	}
	if received {
		s.falseAlarms, s.doubts = 0, 0
	}
	if sent && !heard && s.since.IsZero() {
		s.since = now
	}
	s.traffic = t
	return sent || received
}

// doubtAt returns when nothing has been heard for so long that the pair in use is
// challenged, zero while that is not about to be. It is the sign of a flow of small
// packets, for which no reports are requested. Where data flows in one direction only it
// is soon none.
func (s *silence) doubtAt(r rtt) time.Time {
	if s.since.IsZero() || !s.doubted.Before(s.since) || s.judged.After(s.since) {
		return time.Time{}
	}
	return s.since.Add(r.timeout() << min(s.doubts, maxFalseAlarms))
}

// doubt says that the pair in use is challenged.
func (s *silence) doubt(now time.Time) {
	s.doubted = now
	s.doubts++
}

// signAt returns when the absence of answers is a sign that the pair in use has
// failed, zero while it is not about to be.
func (s *silence) signAt(r rtt) (at time.Time) {
	if t := &s.traffic; t.Unanswered >= enoughRequests && t.Asked.After(s.judged) {
		at = t.Asked.Add(r.timeout())
	}
	if !s.since.IsZero() {
		from := s.since
		if s.judged.After(from) {
			from = s.judged
		}
		quiet := from.Add(max(quietRoundTrips*r.orInitial().smoothed, quietAfter) << s.falseAlarms)
		at = earliest(at, quiet)
		if s.doubted.After(from) {
			at = earliest(at, s.doubted.Add(r.timeout()))
		}
	}
	return at
}

// falseAlarm says that the pair in use has answered after all.
func (s *silence) falseAlarm(now time.Time) {
	s.judged = now
	s.falseAlarms = min(s.falseAlarms+1, maxFalseAlarms)
}

// begin says that another pair is in use from now on.
func (s *silence) begin(now time.Time) {
	s.since, s.judged, s.falseAlarms, s.doubts = time.Time{}, now, 0, 0
	s.traffic.Unanswered, s.traffic.SRTT, s.traffic.RTTVAR = 0, 0, 0
}

// earliest returns the earlier of two deadlines. Zero is no deadline.
func earliest(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
