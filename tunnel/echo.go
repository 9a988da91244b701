package tunnel

import (
	"slices"
	"time"
)

// pendingEcho is the echo that was sent last and waits for its reply, and those
// before it: where the round trip is longer than the wait before the next echo, a
// reply is always to an earlier one. Each has a token of its own, so that the round
// trip is that of one echo and its reply, however many were lost before. The zero
// value waits for nothing; owned by the control goroutine; pure.
type pendingEcho struct {
	token   uint64 // 0: none is pending
	sent    time.Time
	earlier [3]sentEcho // the youngest first
}

type sentEcho struct {
	token uint64
	sent  time.Time
}

// ask takes note of an echo.
func (e *pendingEcho) ask(token uint64, now time.Time) {
	copy(e.earlier[1:], e.earlier[:])
	e.earlier[0] = sentEcho{e.token, e.sent}
	e.token, e.sent = token, now
}

// awaits reports whether the reply with a token is to one of the echoes.
func (e *pendingEcho) awaits(token uint64) bool {
	return token != 0 && (token == e.token || slices.ContainsFunc(e.earlier[:], func(s sentEcho) bool { return s.token == token }))
}

// reply takes in the reply with a token, and returns the round trip. After that
// nothing is pending.
func (e *pendingEcho) reply(token uint64, now time.Time) (rtt time.Duration, ok bool) {
	if token == 0 {
		return 0, false
	}
	sent := sentEcho{e.token, e.sent}
	for i := 0; sent.token != token; i++ {
		if i == len(e.earlier) {
			return 0, false
		}
		sent = e.earlier[i]
	}
	e.token, e.earlier = 0, [len(e.earlier)]sentEcho{}
	return now.Sub(sent.sent), true
}
