package conf

import "net/netip"

// checkTunnel checks what a single key of [tunnel] cannot show.
func (d *decoder) checkTunnel(c *Config, t *table) {
	if t == nil {
		return
	}
	seen := make(map[netip.Addr]bool)
	for _, p := range c.Tunnel.Addresses {
		if seen[p.Addr()] {
			at{d, "tunnel.address", t.lineOf("address")}.fail("", "%s is named twice", p.Addr())
		}
		seen[p.Addr()] = true
	}
	if e := t.entry("address"); e != nil && e.value.emptyArray() {
		at{d, "tunnel.address", e.line}.fail(`such as ["10.77.0.1/24"]`, "no address is named")
	}
}

// checkPeers checks the peers against each other and against this end.
func (d *decoder) checkPeers(c *Config, tables []table) {
	own := Key{}
	if c.Tunnel.PrivateKey != (SecretKey{}) {
		own = c.Tunnel.PrivateKey.public()
	}
	names, keys := make(map[string]string), make(map[Key]string)
	prefixes := make(map[netip.Prefix]string)
	for i, p := range c.Peers {
		t := &tables[i]
		place := func(key string) at { return at{d, "peer." + key, t.lineOf(key)} }
		if p.Name != "" {
			if names[p.Name] != "" {
				place("name").fail("every peer needs a name of its own", "another peer is called %q", p.Name)
			}
			names[p.Name] = p.Name
		}
		if p.PublicKey != (Key{}) {
			if other, taken := keys[p.PublicKey]; taken {
				place("public_key").fail("a peer is one [[peer]]; put all its prefixes into its allowed_ips", "peer %q has the same key", other)
			} else if p.PublicKey == own {
				place("public_key").fail("it must be the peer's", "this is our own public key")
			}
			keys[p.PublicKey] = p.Name
		}
		d.checkPrefixes(c, p, t, prefixes)
	}
	d.checkLoops(c, tables)
}

// checkPrefixes checks one peer's allowed_ips. A prefix inside another peer's
// longer one is no mistake: the longest match decides.
func (d *decoder) checkPrefixes(c *Config, p Peer, t *table, taken map[netip.Prefix]string) {
	e := t.entry("allowed_ips")
	if e == nil {
		return
	}
	if e.value.emptyArray() {
		at{d, "peer.allowed_ips", e.line}.fail(`such as ["10.77.0.2/32"]`, "no prefix is named")
	}
	for _, item := range e.value.items {
		prefix, err := netip.ParsePrefix(item.text)
		if err != nil || prefix != prefix.Masked() {
			continue // reported already
		}
		place := at{d, "peer.allowed_ips", item.line}
		if other, ok := taken[prefix]; ok {
			place.fail("a prefix belongs to one peer", "%s overlaps with allowed_ips of peer %q", prefix, other)
		}
		taken[prefix] = p.Name
		for _, own := range c.Tunnel.Addresses {
			if prefix.IsSingleIP() && prefix.Addr() == own.Addr() {
				place.fail("name the peer's address", "%s is our own tunnel.address", prefix.Addr())
			}
		}
	}
}

// checkLoops finds allowed_ips that would lead the tunnel's own packets into
// the tunnel. Without routes of ours it is the administrator's business.
func (d *decoder) checkLoops(c *Config, tables []table) {
	if !c.Tunnel.Routes {
		return
	}
	for i, p := range c.Peers {
		for _, prefix := range p.AllowedIPs {
			for _, other := range c.Peers {
				if prefixHolds(prefix, other.Endpoint) {
					at{d, "peer.allowed_ips", tables[i].lineOf("allowed_ips")}.fail(
						"use narrower prefixes, or set tunnel.routes = false and add routes by hand",
						"%s contains the endpoint %s of peer %q: the tunnel's own packets would be routed into it", prefix, other.Endpoint, other.Name)
				}
			}
		}
	}
}

// prefixHolds reports whether an endpoint lies in a prefix: certainly if it is
// an address, and for a name if the prefix holds all addresses.
func prefixHolds(prefix netip.Prefix, e Endpoint) bool {
	if e.IsZero() {
		return false
	}
	addr, err := netip.ParseAddr(e.Host)
	if err != nil {
		return prefix.Bits() == 0
	}
	return prefix.Contains(addr.Unmap())
}
