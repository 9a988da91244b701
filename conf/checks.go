package conf

import (
	"fmt"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
)

// namedFile is a file that a key names.
type namedFile struct {
	path string
	at   at
}

// ownedPrefix is one of a peer's allowed_ips.
type ownedPrefix struct {
	prefix netip.Prefix
	at     at
}

// checker judges values against each other, after all of them have been read.
// A zero value is missing or has a mistake of its own, and is passed over.
type checker struct {
	*decoder
	config *Config
	tunnel *table
	peers  []*table // in the order of config.Peers
}

func (d *decoder) check(c *Config, tunnel *table, peers []*table) {
	k := checker{d, c, tunnel, peers}
	k.checkFiles()
	k.checkUplinks()
	k.checkNames()
	k.checkKeys()
	k.checkEndpoints()
	k.checkPrefixes()
	k.checkPLPMTUs()
	k.checkLoops()
}

// place returns where a key's value stands, or the table if the key is missing.
func (k *checker) place(t *table, key string) at {
	a := at{k.decoder, t.qualified(key), t.pos}
	if e := t.entry(key); e != nil {
		a.pos = e.value.pos
	}
	return a
}

// peer calls a peer by its name, or by its line if it has none.
func (k *checker) peer(i int) string {
	if name := k.config.Peers[i].Name; name != "" {
		return fmt.Sprintf("peer %q", name)
	}
	return fmt.Sprintf("the peer on line %d", k.peers[i].pos.line)
}

// checkFiles finds files that the tunnel would overwrite although they have another
// use: the configuration itself, and the files of other keys.
func (k *checker) checkFiles() {
	first := make(map[string]at)
	for _, f := range slices.Backward(k.reads) {
		first[f.path] = f.at
	}
	for _, f := range k.writes {
		const hint = "it would be overwritten; name another"
		if f.path == filepath.Clean(k.file) {
			f.at.fail(f.path+" is this configuration file", hint)
		}
		if other, ok := first[f.path]; ok {
			f.at.fail(fmt.Sprintf("%s is also %s on line %d", f.path, other.key, other.pos.line), hint)
		} else {
			first[f.path] = f.at
		}
	}
}

// checkUplinks finds the tunnel's own interface: its packets would enter it again.
func (k *checker) checkUplinks() {
	for i, name := range k.config.Tunnel.Uplinks {
		if name == k.config.Tunnel.Name {
			k.uplinks[i].fail(name+" is the tunnel itself", "an interface by which the peers can be reached without it")
		}
	}
}

// firsts maps each value to the index of the first item that had it.
type firsts[K comparable] map[K]int

func (f firsts[K]) of(k K, i int) int {
	if _, ok := f[k]; !ok {
		f[k] = i
	}
	return f[k]
}

// checkNames finds peers of the same name.
func (k *checker) checkNames() {
	names := make(firsts[string])
	for i, p := range k.config.Peers {
		if first := names.of(p.Name, i); first != i && p.Name != "" {
			k.place(k.peers[i], "name").fail(fmt.Sprintf("the peer on line %d is called %q, too", k.peers[first].pos.line, p.Name), "each peer has a name of its own")
		}
	}
}

// checkKeys finds keys that two peers share, and keys used in the wrong place.
//
// A private key among the public ones is certain if its public key is in the
// file, too, or is ours. Its form alone proves nothing: one in 16 public keys has
// that form, and none of them may be refused. But one in 16 private keys alone
// can be a public key, and the others are found by that.
func (k *checker) checkKeys() {
	keys, holder := make(firsts[Key]), make(map[Key]string)
	holds := make(map[SecretKey]string) // what a key is, other than preshared
	for i, p := range k.config.Peers {
		for _, key := range p.Keys() {
			holder[key] = k.peer(keys.of(key, i))
			holds[SecretKey(key)] = "the public key of " + holder[key]
		}
	}
	var own Key
	if private := k.config.Tunnel.PrivateKey; !private.IsZero() {
		own = private.public()
		holder[own] = "this end, the one in " + k.config.Tunnel.PrivateKeyFile
		holds[private], holds[SecretKey(own)] = "our private key", "our public key"
	}
	const misplacedHint = "`fathom genkey` makes a new one; here belongs what `fathom pubkey` prints on the peer"
	places := k.keys
	for i, p := range k.config.Peers {
		for _, key := range p.Keys() {
			a, secret := places[0], SecretKey(key)
			places = places[1:]
			switch first := keys[key]; {
			case secret.clamped() && holder[secret.public()] != "":
				a.fail("is the private key of "+holder[secret.public()]+"; it is exposed now and has to be replaced", misplacedHint)
			case secret.clamped() && !key.possible():
				a.fail("is a private key, unless it is mistyped; it is exposed now and has to be replaced", misplacedHint)
			case !key.possible():
				a.fail("is not a key: no private key has this public key", publicKeyHint)
			case key == own:
				a.fail("is our own public key", "the one that `fathom pubkey` prints on the peer")
			case first != i:
				a.fail("is also the key of "+k.peer(first), "each host has a key of its own; a peer with several networks lists them in one allowed_ips")
			}
		}
		if p.ComingKey != (Key{}) && p.ComingKey == p.PublicKey {
			k.place(k.peers[i], "public_key").fail("has the same key twice", "the key that the peer has, and the one that will replace it")
		}
		if of, ok := holds[p.PresharedKey]; ok && !p.PresharedKey.IsZero() {
			k.place(k.peers[i], "preshared_key_file").fail("holds "+of, "`fathom genpsk` makes a preshared key")
		}
	}
}

// endpoint is one of a peer's.
type endpoint struct {
	Endpoint
	at   at
	peer int // index
}

// endpoints returns those of all peers.
func (k *checker) endpoints() (list []endpoint) {
	for i, p := range k.config.Peers {
		for _, e := range p.Endpoints {
			list = append(list, endpoint{e, k.places[len(list)], i})
		}
	}
	return list
}

// checkEndpoints finds peers at the same place, and at ours.
func (k *checker) checkEndpoints() {
	places, list := make(firsts[Endpoint]), k.endpoints()
	for i, e := range list {
		if k.isOurs(e.Endpoint) {
			e.at.fail(e.String()+" is where this end itself listens", "the peer's address and port")
		}
		normal := Endpoint{strings.ToLower(strings.TrimSuffix(e.Host, ".")), e.Port}
		if addr := e.Addr(); addr.IsValid() {
			normal.Host = addr.String()
		}
		switch first := places.of(normal, i); {
		case first == i:
		case list[first].peer == e.peer:
			e.at.fail(fmt.Sprintf("%s comes twice, first on line %d", e, list[first].at.pos.line), "each endpoint once")
		default:
			e.at.fail(fmt.Sprintf("%s is also the endpoint of %s", e, k.peer(list[first].peer)), "one address and port is one host, with one key")
		}
	}
}

// isOurs reports whether an endpoint is certainly this end's.
func (k *checker) isOurs(e Endpoint) bool {
	host, port, addr := k.config.Tunnel.ListenHost, k.config.Tunnel.ListenPort, e.Addr()
	everywhere := !host.IsValid() || host.IsUnspecified()
	return addr.IsValid() && port != 0 && e.Port == port && (addr == host || everywhere && addr.IsLoopback())
}

// checkPrefixes finds a prefix that belongs to two peers, or twice to one, and
// our own address at a peer.
func (k *checker) checkPrefixes() {
	prefixes, own := make(firsts[netip.Prefix]), make(map[netip.Addr]bool)
	for _, p := range k.config.Tunnel.Addresses {
		own[p.Addr()] = true
	}
	var owners []int // of k.prefixes, which are in the order of the peers
	for i, p := range k.config.Peers {
		owners = append(owners, slices.Repeat([]int{i}, len(p.AllowedIPs))...)
	}
	for i, o := range k.prefixes {
		first := prefixes.of(o.prefix, i)
		line, other := k.prefixes[first].at.pos.line, owners[first]
		if first != i && other == owners[i] {
			o.at.fail(fmt.Sprintf("%s comes twice, first on line %d", o.prefix, line), "each prefix once")
		} else if first != i {
			o.at.fail(fmt.Sprintf("%s belongs to %s on line %d", o.prefix, k.peer(other), line), "a prefix has one peer; a longer prefix inside it may have another")
		}
		if o.prefix.IsSingleIP() && own[o.prefix.Addr()] {
			o.at.fail(fmt.Sprintf("%s is our own tunnel.address", o.prefix.Addr()), "inner addresses behind the peer")
		}
	}
}

// checkPLPMTUs knows more than the limits of a single key.
func (k *checker) checkPLPMTUs() {
	for i, p := range k.config.Peers {
		t := k.peers[i]
		for _, size := range []struct {
			key   string
			bytes int
		}{{"plpmtu", p.PLPMTU}, {"max_plpmtu", p.MaxPLPMTU}, {"min_plpmtu", p.MinPLPMTU}} {
			a, bounds := k.place(t, size.key), size.key != "plpmtu"
			switch {
			case bounds && t.entry(size.key) != nil && t.entry("plpmtu") != nil:
				a.fail(fmt.Sprintf("bounds the discovery, but plpmtu on line %d replaces it", t.entry("plpmtu").pos.line),
					"without plpmtu to discover the size, or without "+size.key+" to fix it")
			case bounds && t.entry(size.key) != nil && p.Probing == ProbingOff:
				a.fail(fmt.Sprintf("bounds the discovery, but probing on line %d turns it off", t.entry("probing").pos.line),
					"plpmtu fixes the size; without it and this the egress MTU is used")
			case size.bytes != 0 && size.bytes < minIPv6PLPMTU && slices.ContainsFunc(p.Endpoints, func(e Endpoint) bool { return e.Addr().Is6() }):
				a.fail(fmt.Sprintf("%d is out of range for an IPv6 endpoint", size.bytes),
					fmt.Sprintf("from %d to %d", minIPv6PLPMTU, maxPLPMTU))
			case size.key == "min_plpmtu" && p.MaxPLPMTU != 0 && size.bytes > p.MaxPLPMTU:
				a.fail(fmt.Sprintf("%d is more than max_plpmtu, which is %d", size.bytes, p.MaxPLPMTU), "the smaller of the two")
			}
		}
	}
}

// checkLoops finds outer addresses that are routed into the tunnel: its own
// packets would go around in it instead of leaving the host. The kernel adds
// routes to the networks of the interface by itself. Default routes have rules that
// spare the tunnel's packets. Without routes of ours to allowed_ips, or with a table
// of the administrator's, the rules and routes that matter are the administrator's.
func (k *checker) checkLoops() {
	networks, holders := make(map[netip.Prefix]bool), make(map[netip.Prefix]at)
	for _, p := range k.config.Tunnel.Addresses {
		networks[p.Masked()] = true
	}
	spared := k.config.DefaultRoutes()
	for _, o := range slices.Backward(k.prefixes) {
		if t := &k.config.Tunnel; t.Routes && (t.Table == 0 || t.Table == MainTable) && !slices.Contains(spared, o.prefix) {
			holders[o.prefix] = o.at
		}
	}
	for _, e := range k.endpoints() {
		outside := true
		for _, prefix := range prefixesAround(e.Endpoint) {
			if outside && networks[prefix] {
				e.at.fail(fmt.Sprintf("%s is in %s, the network of tunnel.address: the tunnel's own packets would be routed into the tunnel", e.Addr(), prefix),
					"an outer address, by which the peer can be reached without the tunnel")
				outside = false
			}
			if a, ok := holders[prefix]; ok {
				a.fail(fmt.Sprintf("%s holds the endpoint %s of %s: the tunnel's own packets would be routed into the tunnel", prefix, e, k.peer(e.peer)),
					"narrower prefixes, a default route (0.0.0.0/0 or ::/0), or tunnel.routes = false and routes of your own")
				delete(holders, prefix) // once is enough
			}
		}
	}
}

// prefixesAround returns every prefix that holds an endpoint, the shortest
// first: of a name, whose address is not known yet, those that hold all.
func prefixesAround(e Endpoint) (list []netip.Prefix) {
	addr := e.Addr().WithZone("")
	if !addr.IsValid() && !e.IsZero() {
		return []netip.Prefix{netip.PrefixFrom(netip.IPv4Unspecified(), 0), netip.PrefixFrom(netip.IPv6Unspecified(), 0)}
	}
	for bits := 0; addr.IsValid() && bits <= addr.BitLen(); bits++ {
		list = append(list, netip.PrefixFrom(addr, bits).Masked())
	}
	return list
}
