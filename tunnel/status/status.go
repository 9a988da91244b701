package status

import (
	"net/netip"
	"time"
)

// Status is a snapshot of a running tunnel: the document that `fathom status
// --json` prints.
type Status struct {
	Schema    string   `json:"schema"`     // StatusSchema
	Name      string   `json:"name"`       // of the TUN device
	Version   string   `json:"version"`    // of the program
	PublicKey string   `json:"public_key"` // base64
	Listen    []string `json:"listen"`     // host:port of each open socket
	// Absent says that the host does not have the address to listen on.
	Absent    bool           `json:"listen_absent,omitempty"`
	Addresses []netip.Prefix `json:"addresses"` // inner addresses of this end
	MTU       int            `json:"mtu"`       // of the TUN device: bytes of an inner packet
	Started   time.Time      `json:"started"`   // when the tunnel was up
	// FwMark is that of the tunnel's own packets, 0: none. Table is the routing table
	// of its default routes, 0: it has none.
	FwMark  uint32  `json:"fwmark,omitempty"`
	Table   int     `json:"table,omitempty"`
	Offload Offload `json:"offload"`
	// AESGCM names the implementation of the cipher aes-256-gcm.
	AESGCM string `json:"aes_gcm"`
	Host   Host   `json:"host"`
	// Dropped counts, by reason, the dropped packets that belong to no known
	// peer.
	Dropped map[string]uint64 `json:"dropped"`
	// Stranger is the last caller that is no peer, null if there was none.
	Stranger *Stranger `json:"stranger"`
	Peers    []Peer    `json:"peers"`
}

// Up reports whether every peer is established.
func (s *Status) Up() bool {
	for i := range s.Peers {
		if s.Peers[i].State != PeerEstablished {
			return false
		}
	}
	return true
}

// Host tells what other programs have done to what belongs to the tunnel: its
// device, addresses, routes and rules.
type Host struct {
	// Repaired counts what was put right: "device", "mtu", "up", "address",
	// "route", "guard" and "rule".
	Repaired map[string]uint64 `json:"repaired"`
	// Contested is what another program keeps changing, so that all but guards and
	// rules are put right ever less often.
	Contested []string `json:"contested,omitempty"`
	// Displaced are the routes that another program has put in place of the
	// tunnel's, which are left alone.
	Displaced []string `json:"displaced,omitempty"`
}

// Offload tells what the kernel does for the tunnel.
type Offload struct {
	// Queues is how many queues the TUN device has.
	Queues int `json:"queues"`
	// DeviceTCP and DeviceUDP say that the host and the tunnel exchange
	// superpackets of TCP and of UDP.
	DeviceTCP bool `json:"device_tcp"`
	DeviceUDP bool `json:"device_udp"`
	// UDPSegment says that the kernel cuts outgoing messages into datagrams
	// (UDP_SEGMENT), and UDPGRO that it joins arriving datagrams (UDP_GRO).
	UDPSegment bool `json:"udp_segment"`
	UDPGRO     bool `json:"udp_gro"`
	// ReceiveBuffer and SendBuffer are the bytes that the kernel has granted
	// each socket.
	ReceiveBuffer int `json:"receive_buffer"`
	SendBuffer    int `json:"send_buffer"`
}
