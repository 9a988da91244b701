package metrics

import (
	"fathom/tunnel/status"
)

// tunnelFamilies are the metrics of the tunnel as a whole.
var tunnelFamilies = describe([]family[status.Status]{
	{kind: gauge, name: "fathom_build_info", help: "The version of Fathom that runs, and the implementation of AES-GCM that it has chosen. Always 1.",
		labels: []string{"version", "aes_gcm"}, samples: func(s *status.Status, add add) { add(1, s.Version, s.AESGCM) }},
	{kind: gauge, name: "fathom_tunnel_info", help: "The device and the public key of the tunnel. Always 1.",
		labels: []string{"device", "public_key"}, samples: func(s *status.Status, add add) { add(1, s.Name, s.PublicKey) }},
	{kind: gauge, name: "fathom_tunnel_start_time_seconds", help: "When the tunnel started, in seconds since 1970.",
		samples: one(func(s *status.Status) float64 { return seconds(s.Started) })},
	{kind: gauge, name: "fathom_tunnel_mtu_bytes", help: "MTU of the tunnel's device: the largest packet that the host sends into it whole.",
		samples: one(func(s *status.Status) int { return s.MTU })},
	{kind: gauge, name: "fathom_tunnel_peers", help: "How many peers are configured.",
		samples: one(func(s *status.Status) int { return len(s.Peers) })},
	{kind: gauge, name: "fathom_tunnel_listen_absent", help: "1 while the host does not have the address to listen on, else 0.",
		samples: one(func(s *status.Status) int { return oneIf(s.Absent) })},
	{kind: counter, name: "fathom_tunnel_dropped_packets_total", help: "Packets that belong to no known peer and went nowhere, by reason.",
		labels: []string{"reason"}, samples: byName(func(s *status.Status) map[string]uint64 { return s.Dropped })},
	{kind: counter, name: "fathom_tunnel_repairs_total", help: "What other programs had changed of the tunnel's device, addresses, routes and rules, and was put right.",
		labels: []string{"what"}, samples: byName(func(s *status.Status) map[string]uint64 { return s.Host.Repaired })},
	{kind: gauge, name: "fathom_tunnel_contested_items", help: "Addresses, routes and rules that another program keeps changing.",
		samples: one(func(s *status.Status) int { return len(s.Host.Contested) })},
})

func oneIf(b bool) int {
	if b {
		return 1
	}
	return 0
}
