package conf

import (
	"reflect"
	"slices"
)

// Changes are the differences between the configuration of a running tunnel and
// another one.
type Changes struct {
	// Added are peers of the new configuration, Removed are names in the old one. A peer
	// that has no key in common with the one of its name is another: it is in both.
	Added   []Peer
	Removed []string
	Changed []PeerChange
	// Live are the keys of [tunnel] whose values differ and that a running tunnel can
	// change. Restart are the others.
	Live, Restart []string
	// Unsafe are those of Restart by which the routes of all peers go: peers of the new
	// configuration may be right with them alone.
	Unsafe []string
}

// PeerChange is a peer of both configurations that differs.
type PeerChange struct {
	Old, New Peer
	Keys     []string // whose values differ, in the order of the schema
}

// Any reports whether there are differences.
func (c *Changes) Any() bool {
	return len(c.Added)+len(c.Removed)+len(c.Changed)+len(c.Live)+len(c.Restart) > 0
}

// setting is a key whose values can be compared.
type setting[T any] struct {
	key   string
	value func(*T) any
}

// liveSettings are the keys of [tunnel] that a running tunnel can change.
var liveSettings = []setting[Tunnel]{
	{"private_key_file", func(t *Tunnel) any { return t.PrivateKey }},
	{"ciphers", func(t *Tunnel) any { return t.Ciphers }},
	{"rekey_after", func(t *Tunnel) any { return t.RekeyAfter }},
	{"rekey_after_packets", func(t *Tunnel) any { return t.RekeyAfterPackets }},
	{"log_level", func(t *Tunnel) any { return t.LogLevel }},
}

// routeSettings are those by which the routes of all peers go. They need a restart.
var routeSettings = []setting[Tunnel]{
	{"address", func(t *Tunnel) any { return t.Addresses }},
	{"routes", func(t *Tunnel) any { return t.Routes }},
	{"fwmark", func(t *Tunnel) any { return t.FwMark }},
	{"table", func(t *Tunnel) any { return t.Table }},
}

// restartSettings are the others, which need a restart as well.
var restartSettings = []setting[Tunnel]{
	{"name", func(t *Tunnel) any { return t.Name }},
	{"listen", func(t *Tunnel) any { return [2]any{t.ListenHost, t.ListenPort} }},
	{"uplinks", func(t *Tunnel) any { return t.Uplinks }},
	{"on_stop", func(t *Tunnel) any { return t.OnStop }},
	{"mtu", func(t *Tunnel) any { return t.MTU }},
	{"oversize", func(t *Tunnel) any { return t.Oversize }},
	{"outer_df", func(t *Tunnel) any { return t.OuterDF }},
	{"dscp", func(t *Tunnel) any { return t.DSCP }},
	{"ecn", func(t *Tunnel) any { return t.ECN }},
	{"mss_clamp", func(t *Tunnel) any { return t.MSSClamp }},
	{"offload", func(t *Tunnel) any { return t.Offload }},
	{"queues", func(t *Tunnel) any { return t.Queues }},
	{"status_socket", func(t *Tunnel) any { return t.StatusSocket }},
	{"history_file", func(t *Tunnel) any { return t.HistoryFile }},
	{"metrics", func(t *Tunnel) any { return [2]any{t.MetricsAddr, t.MetricsSocket} }},
	{"debug_esp_sa_file", func(t *Tunnel) any { return t.DebugESPSAFile }},
}

// peerSettings are the keys of [[peer]], all of which a running tunnel can change.
var peerSettings = []setting[Peer]{
	{"public_key", func(p *Peer) any { return p.Keys() }},
	{"preshared_key_file", func(p *Peer) any { return p.PresharedKey }},
	{"endpoint", func(p *Peer) any { return p.Endpoints }},
	{"allowed_ips", func(p *Peer) any { return p.AllowedIPs }},
	{"keepalive", func(p *Peer) any { return p.Keepalive }},
	{"probing", func(p *Peer) any { return p.Probing }},
	{"plpmtu", func(p *Peer) any { return p.PLPMTU }},
	{"max_plpmtu", func(p *Peer) any { return p.MaxPLPMTU }},
	{"min_plpmtu", func(p *Peer) any { return p.MinPLPMTU }},
}

// differing returns the keys of the settings in which two tables differ.
func differing[T any](settings []setting[T], old, next *T) (keys []string) {
	for _, s := range settings {
		if !reflect.DeepEqual(s.value(old), s.value(next)) {
			keys = append(keys, s.key)
		}
	}
	return keys
}

// ChangesTo compares the configuration of a running tunnel with another one.
func (c *Config) ChangesTo(next *Config) (changes Changes) {
	changes.Live = differing(liveSettings, &c.Tunnel, &next.Tunnel)
	changes.Unsafe = differing(routeSettings, &c.Tunnel, &next.Tunnel)
	changes.Restart = append(slices.Clone(changes.Unsafe), differing(restartSettings, &c.Tunnel, &next.Tunnel)...)
	if !sameDefaults(c.DefaultRoutes(), next.DefaultRoutes()) {
		const defaults = "allowed_ips" // of which a default route has rules and a mark
		changes.Unsafe, changes.Restart = append(changes.Unsafe, defaults), append(changes.Restart, defaults)
	}
	for _, p := range c.Peers {
		if next.same(&p) == nil {
			changes.Removed = append(changes.Removed, p.Name)
		}
	}
	for _, p := range next.Peers {
		old := c.same(&p)
		if old == nil {
			changes.Added = append(changes.Added, p)
		} else if keys := differing(peerSettings, old, &p); len(keys) > 0 {
			changes.Changed = append(changes.Changed, PeerChange{*old, p, keys})
		}
	}
	return changes
}

// same returns the peer that has the name, and a key, of a peer of another
// configuration.
func (c *Config) same(as *Peer) *Peer {
	for i, p := range c.Peers {
		if p.Name == as.Name && slices.ContainsFunc(p.Keys(), func(k Key) bool { return slices.Contains(as.Keys(), k) }) {
			return &c.Peers[i]
		}
	}
	return nil
}

// sameDefaults reports whether two lists have the same prefixes: a default route that
// goes to another peer keeps its table and its rules.
func sameDefaults[T comparable](a, b []T) bool {
	return len(a) == len(b) && !slices.ContainsFunc(a, func(one T) bool { return !slices.Contains(b, one) })
}

// Running returns the configuration of the tunnel after the live changes to next: what
// needs a restart is as before.
func (c *Config) Running(next *Config) *Config {
	running := &Config{Path: c.Path, Tunnel: c.Tunnel, Peers: next.Peers}
	t, n := &running.Tunnel, &next.Tunnel
	t.PrivateKey, t.PrivateKeyFile, t.Ciphers = n.PrivateKey, n.PrivateKeyFile, n.Ciphers
	t.RekeyAfter, t.RekeyAfterPackets, t.LogLevel = n.RekeyAfter, n.RekeyAfterPackets, n.LogLevel
	return running
}
