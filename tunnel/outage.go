package tunnel

import "time"

// remindOutage is how often a peer is told of again that does not answer.
const remindOutage = time.Hour

// outage is a time in which a peer answers no handshake: the operator is told when it
// has begun, and reminded rarely. The zero value is ready; owned by the control
// goroutine; pure.
type outage struct {
	told time.Time // zero: not yet
}

// tell reports whether the operator is to be told now, and takes note of it.
func (o *outage) tell(now time.Time) bool {
	if !o.told.IsZero() && now.Sub(o.told) < remindOutage {
		return false
	}
	o.told = now
	return true
}

// end says that a handshake has been completed.
func (o *outage) end() { o.told = time.Time{} }
