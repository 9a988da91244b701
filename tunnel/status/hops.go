package status

import "time"

// MeasuredHops is the last measurement of the hops that somebody on this end has asked
// for, as in HopsReport.
type MeasuredHops struct {
	Forth *HopsWay `json:"forth"`          // from this end to the peer
	Back  *HopsWay `json:"back,omitempty"` // from the peer to this end
	// BackProblem says why the peer has not measured.
	BackProblem string `json:"back_problem,omitempty"`
}

// HopsReport is a measurement of the routers between two peers: the document that
// `fathom probe --hops --json` prints.
type HopsReport struct {
	Schema string `json:"schema"` // HopsSchema
	Peer   string `json:"peer"`   // its name
	// Forth is the direction from this end to the peer, measured here, and Back the
	// other, measured by the peer. Without Back, BackProblem says why.
	Forth       *HopsWay `json:"forth"`
	Back        *HopsWay `json:"back,omitempty"`
	BackProblem string   `json:"back_problem,omitempty"`
}

// HopsWay is one direction. All sizes are bytes of the outer IP packet.
type HopsWay struct {
	At   time.Time `json:"at"`   // when the result was known here
	From string    `json:"from"` // address of the sender, as it is known here
	To   string    `json:"to"`   // of the peer
	// Reached says that probes have arrived, and Complete that everything is known that
	// routers tell.
	Reached  bool `json:"reached"`
	Complete bool `json:"complete"`
	// ClearsDF says that probes have arrived in fragments: the sizes say nothing then.
	ClearsDF   bool    `json:"clears_df"`
	Fans       int     `json:"fans"`    // how many times probes were sent and waited for
	Probes     int     `json:"probes"`  // how many were sent in all
	TookMillis float64 `json:"took_ms"` // the whole measurement, in milliseconds
	// Hops are the sender, the routers in order, and last the receiver if it was reached.
	Hops []Hop `json:"hops"`
	// Places are where packets vanish, or are refused, in the order of the path.
	Places []HopPlace `json:"places"`
}

// Hop is one of them. A router that has never answered has no address.
type Hop struct {
	Hop     int    `json:"hop"`               // its TTL; 0 for the sender
	Address string `json:"address,omitempty"` // that it answers from
	Name    string `json:"name,omitempty"`    // by DNS, with -r
	Peer    bool   `json:"peer,omitempty"`    // the receiver
	// Far says that the receiver is farther away than TTLs were tried.
	Far bool `json:"far,omitempty"`
	// RTTMillis is the shortest round trip that was seen, in milliseconds.
	RTTMillis *float64 `json:"rtt_ms,omitempty"`
	// Size is the largest that got there, and Fails the smallest that was proved not to.
	Size  int `json:"size,omitempty"`
	Fails int `json:"fails,omitempty"`
	// Tells says that it has sent a PTB, and Told the MTU in that; 0: it told none.
	Tells bool `json:"tells,omitempty"`
	Told  int  `json:"told,omitempty"`
}

// HopPlace is between two hops that answer. Routers between them that do not may be at
// fault as well.
type HopPlace struct {
	After int `json:"after"` // a hop
	// Before is the next; null: nothing at all has come back from behind After.
	Before *int `json:"before"`
	// Passes is the largest size that gets past, Fails the smallest that was proved not
	// to.
	Passes int `json:"passes"`
	Fails  int `json:"fails"`
}
