package metrics

import (
	"fathom/tunnel/status"
)

// peerFamilies are the metrics of each peer. Sizes with "plpmtu" or "egress" count the
// outer IP packet, all others the packet inside the tunnel.
var peerFamilies = describe([]family[status.Peer]{
	{kind: gauge, name: "fathom_peer_info", help: "The public key of the peer and the cipher in use. Always 1.",
		labels: []string{"public_key", "cipher"}, samples: func(p *status.Peer, add add) { add(1, p.PublicKey, p.Cipher) }},
	{kind: gauge, name: "fathom_peer_up", help: "1 if the peer is established, else 0.",
		samples: one(func(p *status.Peer) int { return oneIf(p.State == status.PeerEstablished) })},
	{kind: gauge, name: "fathom_peer_state", help: "1 for the state that the peer is in, 0 for all others.",
		labels: []string{"state"}, samples: stateSet(status.PeerStates, func(p *status.Peer) status.PeerState { return p.State })},

	{kind: gauge, name: "fathom_peer_plpmtu_bytes", help: "Size of the largest outer IP packet that is sent to the peer (PLPMTU of RFC 8899). Absent while no endpoint is known.",
		samples: positive(func(p *status.Peer) int { return p.PMTUD.PLPMTU })},
	{kind: gauge, name: "fathom_peer_inner_mtu_bytes", help: "Size of the largest packet inside the tunnel that fits one outer packet.",
		samples: positive(func(p *status.Peer) int { return p.PMTUD.InnerMTU })},
	{kind: gauge, name: "fathom_peer_host_mtu_bytes", help: "The inner MTU that hosts are told.",
		samples: positive(func(p *status.Peer) int { return p.PMTUD.HostMTU })},
	{kind: gauge, name: "fathom_peer_egress_mtu_bytes", help: "MTU of this host's own interface or route towards the peer.",
		samples: positive(func(p *status.Peer) int { return p.PMTUD.EgressMTU })},
	{kind: gauge, name: "fathom_peer_plpmtu_discovery_state", help: "1 for the state of RFC 8899 that path MTU discovery is in, 0 for all others.",
		labels: []string{"state"}, samples: stateSet(status.PMTUDStates, func(p *status.Peer) string { return p.PMTUD.State })},
	{kind: counter, name: "fathom_peer_probes_sent_total", help: "Probes that path MTU discovery has sent.",
		samples: one(func(p *status.Peer) uint64 { return p.PMTUD.Counts.Probes })},
	{kind: counter, name: "fathom_peer_probes_acknowledged_total", help: "Probes that the peer has acknowledged.",
		samples: one(func(p *status.Peer) uint64 { return p.PMTUD.Counts.Acked })},
	{kind: counter, name: "fathom_peer_black_holes_total", help: "How often large packets vanished without a word from any router, as probes have confirmed.",
		samples: one(func(p *status.Peer) uint64 { return p.PMTUD.Counts.BlackHoles })},
	{kind: counter, name: "fathom_peer_false_alarms_total", help: "Suspicions of a smaller MTU that probes or data have contradicted, on all paths.",
		samples: one(func(p *status.Peer) int { return p.PMTUD.FalseAlarms })},
	{kind: counter, name: "fathom_peer_ptbs_received_total", help: "ICMP Packet Too Big messages: those that were believed, and those that were refused, as they proved nothing, were contradicted, or said nothing new.",
		labels: []string{"verdict"}, samples: func(p *status.Peer, add add) {
			add(float64(p.PMTUD.Counts.PTBsBelieved), "believed")
			add(float64(p.PMTUD.Counts.PTBsRefused), "refused")
		}},
	{kind: gauge, name: "fathom_peer_path_clears_df", help: "1 if something on the path clears DF, so that probes arrive in fragments, else 0.",
		samples: one(func(p *status.Peer) int { return oneIf(p.PMTUD.ClearsDF) })},

	{kind: gauge, name: "fathom_peer_rtt_seconds", help: "Smoothed round-trip time to the peer. Absent before the first measurement.",
		samples: func(p *status.Peer, add add) {
			if p.RTTMillis != nil {
				add(*p.RTTMillis / 1000)
			}
		}},
	{kind: gauge, name: "fathom_peer_loss_ratio", help: "Share of the data packets to the peer that are lost for other reasons than their size, from 0 to 1.",
		samples: one(func(p *status.Peer) float64 { return p.PMTUD.LossPercent / 100 })},

	{kind: counter, name: "fathom_peer_receive_bytes_total", help: "Bytes of the packets inside the tunnel that came from the peer.",
		samples: one(func(p *status.Peer) uint64 { return p.RxBytes })},
	{kind: counter, name: "fathom_peer_receive_packets_total", help: "Packets inside the tunnel that came from the peer.",
		samples: one(func(p *status.Peer) uint64 { return p.RxPackets })},
	{kind: counter, name: "fathom_peer_transmit_bytes_total", help: "Bytes of the packets inside the tunnel that were sent to the peer.",
		samples: one(func(p *status.Peer) uint64 { return p.TxBytes })},
	{kind: counter, name: "fathom_peer_transmit_packets_total", help: "Packets inside the tunnel that were sent to the peer.",
		samples: one(func(p *status.Peer) uint64 { return p.TxPackets })},
	{kind: counter, name: "fathom_peer_dropped_packets_total", help: "Packets to or from the peer that went nowhere, by reason.",
		labels: []string{"reason"}, samples: byName(func(p *status.Peer) map[string]uint64 { return p.Dropped })},
	{kind: counter, name: "fathom_peer_surgery_packets_total", help: "Packets inside the tunnel that were changed to fit the path, by kind of change.",
		labels: []string{"kind"}, samples: surgery},

	{kind: counter, name: "fathom_peer_handshakes_total", help: "SA pairs that were set up with the peer.",
		samples: one(func(p *status.Peer) uint64 { return p.Handshakes })},
	{kind: gauge, name: "fathom_peer_last_handshake_time_seconds", help: "When the last SA pair was set up, in seconds since 1970. Absent before the first.",
		samples: func(p *status.Peer, add add) {
			if p.LastHandshake != nil {
				add(seconds(*p.LastHandshake))
			}
		}},
}, "peer")

// surgery has a sample for each kind of change, by its name in the status.
func surgery(p *status.Peer, add add) {
	s := p.Surgery
	for _, kind := range []struct {
		name string
		n    uint64
	}{
		{"tcp_cut", s.TCPCut}, {"fragmented", s.Fragmented}, {"tunnel_fragments", s.TunnelFragments},
		{"reassembled", s.Reassembled}, {"ptbs", s.PTBs}, {"mss_clamped", s.MSSClamped},
	} {
		add(float64(kind.n), kind.name)
	}
}
