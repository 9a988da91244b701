package status

// ProbeReport is a measurement of the path to a peer, made on request and apart
// from the tunnel's own discovery: the document that `fathom probe --json`
// prints.
type ProbeReport struct {
	Schema   string `json:"schema"`   // ProbeSchema
	Peer     string `json:"peer"`     // its name
	Endpoint string `json:"endpoint"` // host:port
	// EgressMTU is that of the host's own interface or route, and PLPMTU the
	// size that was found, both in bytes of the outer IP packet.
	EgressMTU int `json:"egress_mtu"`
	PLPMTU    int `json:"plpmtu"`
	// InnerMTU is the largest inner packet, in bytes, that fits PLPMTU.
	InnerMTU int `json:"inner_mtu"`
	// State is the state of RFC 8899 section 5.2 at the end: "error" if not
	// even BASE_PLPMTU passes.
	State string `json:"state"`
	// Exact says that the search is complete: the next larger size does not
	// pass.
	Exact bool `json:"exact"`
	// Fans is how many times probes were sent and waited for.
	Fans        int           `json:"fans"`
	RTTMillis   float64       `json:"rtt_ms"`      // the smoothed round-trip time in milliseconds
	TookMillis  float64       `json:"took_ms"`     // the whole measurement, in milliseconds
	ClearsDF    bool          `json:"clears_df"`   // probes arrived in fragments
	RoundTrips  float64       `json:"round_trips"` // TookMillis in units of RTTMillis
	ExactMillis float64       `json:"exact_ms"`    // until the final PLPMTU was first acknowledged
	Probes      []ProbeResult `json:"probes"`
}

// ProbeResult is the outcome of one probe packet.
type ProbeResult struct {
	Fan         int     `json:"fan"`                // counts from 1
	Size        int     `json:"size"`               // bytes of the outer IP packet
	Outcome     string  `json:"outcome"`            // "passed", "lost", "fragmented" (it arrived in fragments), "refused" (by the kernel), "unsent" or "waiting" (for its ack)
	AfterMillis float64 `json:"after_ms,omitempty"` // from the probe to its ack
}
