package status

import (
	"net/netip"
	"time"
)

// FactsReport is what a peer tells of its own end: how it is set up for this one, and what
// it sees of it. It came over the tunnel, so it is the peer's word.
type FactsReport struct {
	Peer string `json:"peer"`
	// Clock is the peer's wall clock when it answered. Asked and Answered are this end's
	// when the last question left and when the answer came.
	Clock    time.Time `json:"clock"`
	Asked    time.Time `json:"asked"`
	Answered time.Time `json:"answered"`
	// SeenAt is where the peer sends to this end, host:port.
	SeenAt netip.AddrPort `json:"seen_at"`
	// PLPMTU is that from the peer to this end, in bytes of the outer IP packet. Settled
	// says that no search for it is under way.
	PLPMTU   int  `json:"plpmtu"`
	Settled  bool `json:"settled"`
	ClearsDF bool `json:"clears_df"` // the peer's probes arrive here in fragments
	// Addresses are the peer's inner addresses, each with its network, and AllowedIPs what
	// it accepts from this end. Truncated says that there are more.
	Addresses  []netip.Prefix `json:"addresses"`
	AllowedIPs []netip.Prefix `json:"allowed_ips"`
	Truncated  bool           `json:"truncated"`
}
