package status

// Diagnosis is what is amiss with a tunnel and its host: the document that `fathom doctor
// --json` prints.
type Diagnosis struct {
	Schema string `json:"schema"` // DoctorSchema
	Name   string `json:"name"`   // of the TUN device
	// Running says that the tunnel runs and was asked. If not, the host alone was examined.
	Running  bool      `json:"running"`
	Findings []Finding `json:"findings"` // none: nothing is known to be amiss
	// Unexamined is what could not be looked at. That says nothing about it.
	Unexamined []Unexamined `json:"unexamined"`
}

// Finding is one thing that is amiss.
type Finding struct {
	Code   FindingCode `json:"code"`
	Peer   string      `json:"peer,omitempty"` // the peer that it is about; empty: all, or the host
	What   string      `json:"what"`           // in words
	Remedy string      `json:"remedy"`         // what to do about it
}

// Unexamined is a thing that could not be looked at.
type Unexamined struct {
	What string `json:"what"` // the thing
	Why  string `json:"why"`  // the reason
}

// FindingCode says what kind of thing is amiss.
type FindingCode string

// The codes of findings.
const (
	// FindingNoTUN: /dev/net/tun cannot be opened.
	FindingNoTUN FindingCode = "no_tun"
	// FindingNoCapability: the user who asks does not have CAP_NET_ADMIN, which the tunnel
	// needs.
	FindingNoCapability FindingCode = "no_capability"
	// FindingNoOffload: the kernel neither cuts nor joins packets for the tunnel, although
	// the configuration lets it.
	FindingNoOffload FindingCode = "no_offload"
	// FindingSmallBuffer: the receive buffer of the sockets is small.
	FindingSmallBuffer FindingCode = "small_buffer"
	// FindingPortInUse: another program has the UDP port.
	FindingPortInUse FindingCode = "port_in_use"
	// FindingXfrmPolicy: an IPsec policy of the kernel's takes the tunnel's packets, or those
	// inside.
	FindingXfrmPolicy FindingCode = "xfrm_policy"
	// FindingMSSRule: a rule of the firewall's changes the MSS of TCP, which the tunnel does
	// itself.
	FindingMSSRule FindingCode = "mss_rule"
	// FindingFirewallIn: the host's own firewall drops what a peer sends to the UDP port.
	FindingFirewallIn FindingCode = "firewall_in"
	// FindingFirewallOut: the host's own firewall refuses what is sent to the peer.
	FindingFirewallOut FindingCode = "firewall_out"
	// FindingRefused: a router or a firewall on the way refuses packets to the peer, and
	// says so.
	FindingRefused FindingCode = "refused_on_the_way"
	// FindingPortClosed: the peer's host answers that nothing has the UDP port.
	FindingPortClosed FindingCode = "port_closed"
	// FindingNoName: the name of an endpoint does not resolve.
	FindingNoName FindingCode = "name_does_not_resolve"
	// FindingNoRoute: the host has no route to the peer.
	FindingNoRoute FindingCode = "no_route"
	// FindingLoop: the host routes the tunnel's own packets to the peer into the tunnel.
	FindingLoop FindingCode = "routing_loop"
	// FindingRPFilter: rp_filter drops what peers send to an uplink.
	FindingRPFilter FindingCode = "rp_filter"
	// FindingNoAnswer: the peer does not answer, and no other finding says why.
	FindingNoAnswer FindingCode = "no_answer"
	// FindingStranger: somebody calls whose public key no peer has.
	FindingStranger FindingCode = "stranger"
	// FindingPresharedKey: the preshared keys of the two ends differ.
	FindingPresharedKey FindingCode = "preshared_keys_differ"
	// FindingNoCipher: the ends have no cipher in common.
	FindingNoCipher FindingCode = "no_cipher_in_common"
	// FindingUnused: the peer calls, is answered, and makes no use of it.
	FindingUnused FindingCode = "answers_not_used"
	// FindingWaiting: no endpoint is configured, and the peer has not called.
	FindingWaiting FindingCode = "peer_has_to_call"
	// FindingClosed: the peer has ended its tunnel.
	FindingClosed FindingCode = "closed_by_peer"
	// FindingDeadMapping: a NAT or firewall on the way may keep a mapping that leads
	// nowhere.
	FindingDeadMapping FindingCode = "dead_mapping"
	// FindingNoKeepalive: this end is behind a NAT, whose mapping times out, and sends no
	// keepalives.
	FindingNoKeepalive FindingCode = "nat_without_keepalive"
	// FindingAddressCollides: an inner address of this end belongs to another network of the
	// host's.
	FindingAddressCollides FindingCode = "address_collides"
	// FindingNetworkCollides: the host itself is in a network of allowed_ips.
	FindingNetworkCollides FindingCode = "network_collides"
	// FindingSameAddress: both ends have the same inner address.
	FindingSameAddress FindingCode = "same_inner_address"
	// FindingAllowedIPs: an end sends from an address that the other does not accept.
	FindingAllowedIPs FindingCode = "allowed_ips_differ"
	// FindingNotForwarding: the peer expects a network behind this host, which does not
	// forward.
	FindingNotForwarding FindingCode = "forwarding_off"
	// FindingNotRouted: packets for a prefix of the peer's do not enter the tunnel.
	FindingNotRouted FindingCode = "not_routed_into_tunnel"
	// FindingClearsDF: something on the path clears DF.
	FindingClearsDF FindingCode = "clears_df"
	// FindingMTUDiffers: the path carries less in one direction than in the other.
	FindingMTUDiffers FindingCode = "mtu_by_direction"
	// FindingClock: the clocks of the two ends differ.
	FindingClock FindingCode = "clock"
)
