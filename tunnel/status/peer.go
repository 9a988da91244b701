package status

import (
	"net/netip"
	"time"
)

// Peer is the state of one peer.
type Peer struct {
	Name       string         `json:"name"`               // as configured
	PublicKey  string         `json:"public_key"`         // base64
	Endpoint   string         `json:"endpoint,omitempty"` // host:port, empty while unknown
	AllowedIPs []netip.Prefix `json:"allowed_ips"`        // as configured
	State      PeerState      `json:"state"`
	// Problem says why the host cannot send to the endpoint; empty: it can.
	Problem string `json:"problem,omitempty"`
	// Attempt is the attempt to reach the peer that is under way, null while it is not
	// needed.
	Attempt *Attempt `json:"attempt"`
	// Advice says what may help a peer that does not answer any more; empty: nothing
	// is known.
	Advice string `json:"advice,omitempty"`
	PMTUD  PMTUD  `json:"pmtud"`
	// Hops is the last measurement of the hops, null before the first.
	Hops *MeasuredHops `json:"hops"`
	// Paths are the pairs of addresses by which the peer can be reached, the preferred
	// ones first; none without an SA pair. PathHistory is the last changes of the pair in
	// use since the peer was last established, oldest first.
	Paths       []Path     `json:"paths"`
	PathHistory []PathMove `json:"path_history"`
	Decider     Decider    `json:"decider"`
	// Cipher is the suite of the current SA pair, by its configuration name.
	Cipher string `json:"cipher,omitempty"`
	// SendSPI and ReceiveSPI are those of the current SA pair, zero without one.
	SendSPI    uint32 `json:"send_spi,omitempty"`
	ReceiveSPI uint32 `json:"receive_spi,omitempty"`
	// RTTMillis is the smoothed round-trip time to the peer in milliseconds,
	// null until the first measurement.
	RTTMillis     *float64   `json:"rtt_ms"`
	RxBytes       uint64     `json:"rx_bytes"`       // of inner packets
	TxBytes       uint64     `json:"tx_bytes"`       // of inner packets
	RxPackets     uint64     `json:"rx_packets"`     // inner packets; a superpacket counts as its pieces
	TxPackets     uint64     `json:"tx_packets"`     // likewise
	Handshakes    uint64     `json:"handshakes"`     // SA pairs set up since the start
	LastHandshake *time.Time `json:"last_handshake"` // null before the first
	// OwnKey is the newest of this end's public keys by which a handshake with the peer
	// was made; empty before the first.
	OwnKey string `json:"own_public_key,omitempty"`
	// Dropped counts this peer's dropped packets by reason.
	Dropped map[string]uint64 `json:"dropped"`
	Surgery Surgery           `json:"surgery"`
}

// PeerState sums up whether packets can reach a peer.
type PeerState string

const (
	// PeerIdle has no SA and no known endpoint: the peer must initiate.
	PeerIdle PeerState = "idle"
	// PeerConnecting has no SA and sends initiations.
	PeerConnecting PeerState = "connecting"
	// PeerEstablished has an SA pair.
	PeerEstablished PeerState = "established"
	// PeerUnresponsive has an SA pair, but the peer no longer answers, and
	// initiations are being sent.
	PeerUnresponsive PeerState = "unresponsive"
	// PeerNoRoute cannot be sent to: the host has no route to its endpoint, or
	// one that leads into the tunnel itself.
	PeerNoRoute PeerState = "no_route"
)

// PeerStates are all of them.
var PeerStates = []PeerState{PeerIdle, PeerConnecting, PeerEstablished, PeerUnresponsive, PeerNoRoute}

// Surgery counts what the tunnel did to a peer's inner packets to make them fit
// the path.
type Surgery struct {
	TCPCut          uint64 `json:"tcp_cut"`          // TCP packets above the inner MTU that were cut, segments of superpackets included
	Fragmented      uint64 `json:"fragmented"`       // IPv4 packets without DF that were fragmented
	TunnelFragments uint64 `json:"tunnel_fragments"` // packets that were sent in tunnel fragments
	Reassembled     uint64 `json:"reassembled"`      // packets that came in tunnel fragments
	PTBs            uint64 `json:"ptbs"`             // PTBs sent to the hosts behind this end
	MSSClamped      uint64 `json:"mss_clamped"`      // SYNs whose MSS was lowered
}
