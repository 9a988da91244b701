package status

import "time"

// reloadTimeout bounds a reload: thousands of routes may change.
const reloadTimeout = time.Minute

// ReloadReport is what a reload has changed. With Mistakes it has changed nothing.
type ReloadReport struct {
	// Mistakes are those of the file, each with its line.
	Mistakes []string `json:"mistakes,omitempty"`
	// Added and Removed are names of peers.
	Added   []string      `json:"added,omitempty"`
	Removed []string      `json:"removed,omitempty"`
	Changed []ChangedPeer `json:"changed,omitempty"`
	// Tunnel are the keys of [tunnel] that have changed, Restart those that the tunnel
	// takes in when it starts again.
	Tunnel  []string `json:"tunnel,omitempty"`
	Restart []string `json:"restart,omitempty"`
}

// ChangedPeer is a peer, and the keys of its table that have changed.
type ChangedPeer struct {
	Peer string   `json:"peer"`
	Keys []string `json:"keys"`
}
