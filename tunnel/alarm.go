package tunnel

import "time"

// alarm is a timer that knows what it is set to, so that setting it again to the
// same time costs nothing. Owned by the control goroutine.
type alarm struct {
	timer *time.Timer
	at    time.Time // zero: not set
}

func newAlarm() *alarm {
	timer := time.NewTimer(0)
	timer.Stop()
	return &alarm{timer: timer}
}

// set makes the alarm ring at the given time, or with zero not at all.
func (a *alarm) set(at time.Time) {
	if at.Equal(a.at) {
		return
	}
	a.at = at
	if at.IsZero() {
		a.timer.Stop()
	} else {
		a.timer.Reset(time.Until(at))
	}
}

// rung has to be called after a receive from the timer's channel.
func (a *alarm) rung() { a.at = time.Time{} }
