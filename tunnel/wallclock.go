package tunnel

import "time"

// onTheWall returns when something happened as the wall clock tells it now, which may
// have been set since. So its age is right for whoever has no other clock, such as a
// reader of the status.
func onTheWall(at, now time.Time) time.Time { return now.Add(at.Sub(now)) }
