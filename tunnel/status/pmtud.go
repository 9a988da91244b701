package status

import "time"

// PMTUDStates are all that PMTUD.State can be.
var PMTUDStates = []string{"disabled", "base", "searching", "search_complete", "error", "unreachable"}

// PMTUD tells how large a packet the path to a peer carries.
type PMTUD struct {
	// State is the state of RFC 8899 section 5.2: "disabled", "base",
	// "searching", "search_complete" or "error"; or "unreachable" while nothing at all
	// is answered, and the PLPMTU stays as it was.
	State string `json:"state"`
	// PLPMTU is in bytes of the outer IP packet, 0 while no endpoint is known.
	PLPMTU int `json:"plpmtu"`
	// InnerMTU is the largest inner packet, in bytes, that fits one outer
	// packet of PLPMTU bytes.
	InnerMTU int `json:"inner_mtu"`
	// HostMTU is the inner MTU that hosts are told, in bytes: that of the PLPMTU
	// with which the last search has ended.
	HostMTU int `json:"host_mtu"`
	// EgressMTU is that of the host's own interface or route, in bytes of the
	// outer IP packet.
	EgressMTU int `json:"egress_mtu"`
	// Source says where the PLPMTU comes from: "discovery", or with discovery
	// off, "configuration" or "egress".
	Source string `json:"source"`
	// LossPercent is the loss of data packets for reasons other than their
	// size, according to the peer's receive reports.
	LossPercent float64 `json:"loss_percent"`
	// FalseAlarms counts the suspicions of a smaller MTU that probes or data have
	// contradicted since the start, on all paths. They are not in History.
	FalseAlarms int `json:"false_alarms"`
	// ClearsDF says that probes have arrived in fragments: something on the
	// path clears DF.
	ClearsDF bool `json:"clears_df"`
	// Counts are what discovery has done and met since the start, on all paths.
	Counts PMTUDCounts `json:"counts"`
	// History is the last changes of the PLPMTU, oldest first.
	History []PLPMTUChange `json:"history"`
}

// PMTUDCounts only grow.
type PMTUDCounts struct {
	Probes     uint64 `json:"probes"`      // sent; those of `fathom probe` are not in it
	Acked      uint64 `json:"acked"`       // probes that were acknowledged
	BlackHoles uint64 `json:"black_holes"` // suspicions that probes have confirmed
	// PTBsBelieved were acted on, PTBsRefused were not: unproved, contradicted, or without
	// news. Those that come faster than the tunnel listens to are in neither.
	PTBsBelieved uint64 `json:"ptbs_believed"`
	PTBsRefused  uint64 `json:"ptbs_refused"`
}

// PLPMTUChange is one change of a PLPMTU, in bytes of the outer IP packet.
type PLPMTUChange struct {
	At   time.Time `json:"at"`   // when
	From int       `json:"from"` // the size before; 0: there was none
	To   int       `json:"to"`   // the size after
	// Cause is "start", "probe", "black hole", "PTB", "base does not pass",
	// "egress MTU", "EMSGSIZE", "loss by size", "trial", "unreachable" or "another path".
	Cause string `json:"cause"`
}
