package tunnel

import "time"

// alarm wakes the control goroutine at the earliest of the times that it was
// set to. Owned by that goroutine.
type alarm struct {
	timer *time.Timer
	at    time.Time // zero: not set
}

func newAlarm() *alarm {
	timer := time.NewTimer(0)
	timer.Stop()
	return &alarm{timer: timer}
}

// set makes the alarm ring at the given time at the latest.
func (a *alarm) set(at, now time.Time) {
	if a.at.IsZero() || at.Before(a.at) {
		a.at = at
		a.timer.Reset(max(at.Sub(now), 0))
	}
}

// rung has to be called after a receive from the timer's channel.
func (a *alarm) rung() { a.at = time.Time{} }
