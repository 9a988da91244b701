package tunnel

import (
	"net/netip"
	"time"
)

// Status is what a running tunnel says of itself: the document that
// `fathom status --json` prints. It is a snapshot; the receiver owns it.
type Status struct {
	Name      string         `json:"name"`
	Version   string         `json:"version"`
	PublicKey string         `json:"public_key"` // base64
	Listen    []string       `json:"listen"`     // host:port of each open socket
	Addresses []netip.Prefix `json:"addresses"`  // inner addresses of this end
	MTU       int            `json:"mtu"`        // of the TUN device: bytes of an inner packet
	Started   time.Time      `json:"started"`
	Offload   OffloadStatus  `json:"offload"`
	// Dropped counts the packets that no peer can be charged with, by reason.
	Dropped map[string]uint64 `json:"dropped"`
	Peers   []PeerStatus      `json:"peers"`
}

// OffloadStatus tells what the kernel does for the tunnel.
type OffloadStatus struct {
	// Queues is how many queues the TUN device has.
	Queues int `json:"queues"`
	// DeviceTCP and DeviceUDP say that the host and the tunnel exchange
	// superpackets of TCP and of UDP.
	DeviceTCP bool `json:"device_tcp"`
	DeviceUDP bool `json:"device_udp"`
	// UDPSegment says that the kernel cuts what is sent into datagrams, and
	// UDPGRO that it joins those that arrive.
	UDPSegment bool `json:"udp_segment"`
	UDPGRO     bool `json:"udp_gro"`
	// ReceiveBuffer and SendBuffer are those that the kernel has granted each
	// socket, in bytes.
	ReceiveBuffer int `json:"receive_buffer"`
	SendBuffer    int `json:"send_buffer"`
}

// PeerStatus is the state of one peer.
type PeerStatus struct {
	Name       string         `json:"name"`
	PublicKey  string         `json:"public_key"`         // base64
	Endpoint   string         `json:"endpoint,omitempty"` // host:port, empty while unknown
	AllowedIPs []netip.Prefix `json:"allowed_ips"`
	State      PeerState      `json:"state"`
	PMTUD      PMTUDStatus    `json:"pmtud"`
	// Cipher is the suite of the present SA, by its configuration name.
	Cipher string `json:"cipher,omitempty"`
	// SendSPI and ReceiveSPI are those of the present SAs, zero without.
	SendSPI    uint32 `json:"send_spi,omitempty"`
	ReceiveSPI uint32 `json:"receive_spi,omitempty"`
	// RTTMillis is the smoothed round-trip time to the peer in milliseconds,
	// null until the first measurement.
	RTTMillis     *float64   `json:"rtt_ms"`
	RxBytes       uint64     `json:"rx_bytes"` // of inner packets
	TxBytes       uint64     `json:"tx_bytes"` // of inner packets
	RxPackets     uint64     `json:"rx_packets"`
	TxPackets     uint64     `json:"tx_packets"`
	Handshakes    uint64     `json:"handshakes"`     // SA pairs set up since the start
	LastHandshake *time.Time `json:"last_handshake"` // null before the first
	// Dropped counts this peer's packets that went nowhere, by reason.
	Dropped map[string]uint64 `json:"dropped"`
	// Surgery counts what was done to inner packets to make them fit.
	Surgery SurgeryStatus `json:"surgery"`
}

// PMTUDStatus tells how large a packet may be on the way to a peer.
type PMTUDStatus struct {
	// State is the state of RFC 8899 section 5.2: "disabled", "base",
	// "searching", "search_complete" or "error".
	State string `json:"state"`
	// PLPMTU is in bytes of the outer IP packet, 0 while no endpoint is known.
	PLPMTU int `json:"plpmtu"`
	// InnerMTU is the largest inner packet, in bytes, that fits one outer
	// packet of PLPMTU bytes.
	InnerMTU int `json:"inner_mtu"`
	// EgressMTU is that of the host's own interface or route, in bytes of the
	// outer IP packet.
	EgressMTU int `json:"egress_mtu"`
	// Source says where the PLPMTU comes from: "discovery", or when that is
	// off, "configuration" or "egress".
	Source string `json:"source"`
	// LossPercent is the loss of data packets for other reasons than their
	// size, as the peer's receive reports tell.
	LossPercent float64 `json:"loss_percent"`
	// ClearsDF says that probes have arrived in fragments: something on the
	// path clears DF.
	ClearsDF bool `json:"clears_df"`
	// History is the last changes of the PLPMTU, oldest first.
	History []PLPMTUChange `json:"history"`
}

// PLPMTUChange is one change of a PLPMTU, in bytes of the outer IP packet.
type PLPMTUChange struct {
	At    time.Time `json:"at"`
	From  int       `json:"from"`
	To    int       `json:"to"`
	Cause string    `json:"cause"`
}

// PeerState sums up whether packets can reach a peer.
type PeerState string

const (
	// PeerIdle has no SA and waits for the peer to call: its endpoint is
	// not known.
	PeerIdle PeerState = "idle"
	// PeerConnecting has no SA and sends initiations.
	PeerConnecting PeerState = "connecting"
	// PeerEstablished has a pair of SAs.
	PeerEstablished PeerState = "established"
	// PeerUnresponsive has a pair of SAs, but the peer has ceased to answer;
	// initiations are being sent.
	PeerUnresponsive PeerState = "unresponsive"
)

// Up reports whether every peer is established.
func (s *Status) Up() bool {
	for _, p := range s.Peers {
		if p.State != PeerEstablished {
			return false
		}
	}
	return true
}
