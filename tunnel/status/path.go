package status

import "time"

// Path is one pair of addresses by which a peer can be reached, and what is known of
// it.
type Path struct {
	PathEnds
	State PathState `json:"state"`
	// RTTMillis is the smoothed round-trip time by the pair in milliseconds, null
	// until the first measurement.
	RTTMillis *float64 `json:"rtt_ms"`
	// PLPMTU is in bytes of the outer IP packet, absent while it is not known.
	PLPMTU int `json:"plpmtu,omitempty"`
	// InUse says that this end sends by the pair, since the time Since, which is null
	// for any other pair.
	InUse bool       `json:"in_use"`
	Since *time.Time `json:"since"`
	// Offered says that the host can send by the pair: the interface is up, the address
	// is there, and so is a route. Other pairs are known because packets of the peer's
	// have come by them.
	Offered bool `json:"offered"`
}

// PathEnds are what makes a pair.
type PathEnds struct {
	// Interface is the name of that by which packets leave. It is empty where the kernel
	// chooses it and the tunnel has not been told its choice.
	Interface string `json:"interface"`
	// Local is the address of this end, empty while the kernel chooses it, and Remote
	// the peer's address and port.
	Local  string `json:"local"`
	Remote string `json:"remote"`
}

// PathState says what is known of a pair.
type PathState string

const (
	// PathUnknown was never asked about.
	PathUnknown PathState = "unknown"
	// PathTried has a challenge under way, and none was ever answered.
	PathTried PathState = "tried"
	// PathProved has carried a challenge and its answer, or a handshake, in the last 30
	// seconds.
	PathProved PathState = "proved"
	// PathStale was proved longer ago. That is no fault: without data, pairs that are
	// not in use are left alone, and so is the one in use while nothing puts it in doubt.
	PathStale PathState = "stale"
	// PathFailed has left challenges unanswered, or was left for a pair that works.
	PathFailed PathState = "failed"
)

// PathMove is one change of the pair in use.
type PathMove struct {
	At   time.Time `json:"at"`   // when
	From *PathEnds `json:"from"` // null: there was none
	To   PathEnds  `json:"to"`   // the pair after
	// Cause is "start" (the first pair), "silent" (what was sent by the former one had
	// no answer), "link_down" (its interface, address or route is gone), "preferred"
	// (a pair that the configuration prefers is reliable again), "faster" (a pair of
	// the same rank has a shorter round trip) or "peer" (the peer has decided so, says
	// that it hears nothing, or is elsewhere now).
	Cause string `json:"cause"`
}

// Decider says which end decides for both by which pair they send.
type Decider string

const (
	// DeciderThisEnd has several pairs of its own.
	DeciderThisEnd Decider = "this_end"
	// DeciderPeer: it is the peer that has.
	DeciderPeer Decider = "peer"
	// DeciderNone: neither end has several pairs of its own, or the peer's version knows
	// none. Each end chooses for itself, and follows the other.
	DeciderNone Decider = "none"
)
