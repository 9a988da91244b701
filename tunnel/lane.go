package tunnel

import "fathom/esp"

// lane is one of the goroutines that seal and send on the same SAs.
type lane struct {
	number int  // its index as a sender of pmtud.SentLog
	waits  bool // for room in a full socket; else what does not fit is dropped
	most   int  // datagrams that it may have numbered and not sent
}

// controllerLane is that of the control goroutine, which waits for nothing: its
// messages are sent again by their protocols, and the packets that have waited
// for an SA by theirs.
var controllerLane = lane{number: 0, most: outboxMessages}

// transmitterLane returns the lane of one of so many transmitters. All of them
// number their packets from the same counters. If each seals so few at a time,
// the last one to hand over what it has is still within the anti-replay window
// of the far end, with half of it to spare for what happens on the way.
func transmitterLane(i, of int) lane {
	return lane{number: controllerLane.number + 1 + i, waits: true, most: max(1, esp.WindowSize/2/of)}
}
