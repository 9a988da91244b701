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
	use  use
	at   at
}

// use is what a tunnel does with a file.
type use bool

const (
	reads  use = false
	writes use = true // and removes
)

// ownedPrefix is one of a peer's allowed_ips.
type ownedPrefix struct {
	prefix netip.Prefix
	at     at
}

// checker judges values against each other, after all of them have been read.
// What is zero has a mistake of its own, or is not there, and is passed over.
type checker struct {
	*decoder
	config *Config
	tunnel *table
	peers  []*table // in the order of config.Peers
}

func (d *decoder) check(c *Config, tunnel *table, peers []*table) {
	k := checker{d, c, tunnel, peers}
	k.checkFiles()
	k.checkNames()
	k.checkKeys()
	k.checkEndpoints()
	k.checkPrefixes()
	k.checkPLPMTUs()
	k.checkLoops()
}

// place is that of a key's value, or of the table if the key is not there.
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

// checkFiles keeps what the tunnel writes and removes from what it reads.
func (k *checker) checkFiles() {
	type purpose struct {
		path string
		use  use
	}
	first := make(map[purpose]int)
	for i, f := range k.files {
		if _, ok := first[purpose{f.path, f.use}]; !ok {
			first[purpose{f.path, f.use}] = i
		}
	}
	for i, f := range k.files {
		if f.use == reads {
			continue
		}
		if f.path == filepath.Clean(k.file) {
			f.at.fail(f.path+" is this configuration file", "it would be overwritten; name another")
		}
		j, ok := first[purpose{f.path, reads}]
		if !ok {
			j = first[purpose{f.path, writes}]
		}
		if other := k.files[j]; j != i {
			f.at.fail(fmt.Sprintf("%s is also %s on line %d", f.path, other.at.key, other.at.pos.line), "it would be overwritten; name another")
		}
	}
}

// checkNames finds peers of the same name.
func (k *checker) checkNames() {
	first := make(map[string]int)
	for i, p := range k.config.Peers {
		if p.Name == "" {
			continue
		}
		if other, ok := first[p.Name]; ok {
			k.place(k.peers[i], "name").fail(fmt.Sprintf("the peer on line %d is called %q, too", k.peers[other].pos.line, p.Name), "each peer has a name of its own")
			continue
		}
		first[p.Name] = i
	}
}

// checkKeys finds keys that two have, or that are in use as something else.
//
// A private key among the public ones is certain only where its public key is
// known here. Its form alone proves nothing: one in 16 public keys has it.
func (k *checker) checkKeys() {
	private := k.config.Tunnel.PrivateKey
	first, holder := make(map[Key]int), make(map[Key]string)
	for i, p := range slices.Backward(k.config.Peers) {
		first[p.PublicKey], holder[p.PublicKey] = i, k.peer(i)
	}
	var own Key
	if !private.IsZero() {
		own = private.public()
		holder[own] = "this end, as " + k.config.Tunnel.PrivateKeyFile + " has it"
	}
	holds := make(map[SecretKey]string) // what a key is, other than preshared
	for i, p := range slices.Backward(k.config.Peers) {
		if p.PublicKey == (Key{}) {
			continue
		}
		a := k.place(k.peers[i], "public_key")
		secret := SecretKey(p.PublicKey)
		holds[secret] = "the public key of " + k.peer(i)
		switch other := first[p.PublicKey]; {
		case secret.clamped() && holder[secret.public()] != "":
			a.fail("is the private key of "+holder[secret.public()]+": it is exposed now and has to be replaced",
				"`fathom genkey` makes a new one; here belongs what `fathom pubkey` prints on the peer")
		case p.PublicKey == own:
			a.fail("is our own public key", "the one that `fathom pubkey` prints on the peer")
		case other != i:
			a.fail("is also the key of "+k.peer(other), "each host has a key of its own; a peer with several networks lists them in one allowed_ips")
		}
	}
	if !private.IsZero() {
		holds[private] = "our private key"
		holds[SecretKey(own)] = "our public key"
	}
	for i, p := range k.config.Peers {
		if of, ok := holds[p.PresharedKey]; ok && !p.PresharedKey.IsZero() {
			k.place(k.peers[i], "preshared_key_file").fail("holds "+of, "`fathom genpsk` makes a preshared key")
		}
	}
}

// checkEndpoints finds peers at the same place, and at ours.
func (k *checker) checkEndpoints() {
	first := make(map[Endpoint]int)
	for i, p := range k.config.Peers {
		if p.Endpoint.IsZero() {
			continue
		}
		a := k.place(k.peers[i], "endpoint")
		if k.isOurs(p.Endpoint) {
			a.fail(p.Endpoint.String()+" is where this end itself listens", "the peer's address and port")
		}
		normal := Endpoint{strings.ToLower(strings.TrimSuffix(p.Endpoint.Host, ".")), p.Endpoint.Port}
		if addr := p.Endpoint.Addr(); addr.IsValid() {
			normal.Host = addr.String()
		}
		if other, ok := first[normal]; ok {
			a.fail(fmt.Sprintf("%s is also the endpoint of %s", p.Endpoint, k.peer(other)), "one address and port is one host, with one key")
			continue
		}
		first[normal] = i
	}
}

// isOurs reports whether an endpoint is certainly this end's.
func (k *checker) isOurs(e Endpoint) bool {
	t, addr := &k.config.Tunnel, e.Addr()
	if !addr.IsValid() || t.ListenPort == 0 || e.Port != t.ListenPort {
		return false
	}
	if !t.ListenHost.IsValid() || t.ListenHost.IsUnspecified() {
		return addr.IsLoopback()
	}
	return addr == t.ListenHost
}

// checkPrefixes finds a prefix that belongs to two peers, or twice to one, and
// our own address at a peer.
func (k *checker) checkPrefixes() {
	type owner struct{ peer, line int }
	first := make(map[netip.Prefix]owner)
	own := make(map[netip.Addr]bool)
	for _, p := range k.config.Tunnel.Addresses {
		own[p.Addr()] = true
	}
	n := 0
	for i, p := range k.config.Peers {
		for range p.AllowedIPs {
			o := k.prefixes[n]
			n++
			if other, ok := first[o.prefix]; !ok {
				first[o.prefix] = owner{i, o.at.pos.line}
			} else if other.peer == i {
				o.at.fail(fmt.Sprintf("%s comes twice, first on line %d", o.prefix, other.line), "each prefix once")
			} else {
				o.at.fail(fmt.Sprintf("%s belongs to %s on line %d", o.prefix, k.peer(other.peer), other.line),
					"a prefix has one peer; a longer prefix inside of it may have another")
			}
			if o.prefix.IsSingleIP() && own[o.prefix.Addr()] {
				o.at.fail(fmt.Sprintf("%s is our own tunnel.address", o.prefix.Addr()), "inner addresses behind the peer")
			}
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
			case size.bytes != 0 && size.bytes < minIPv6PLPMTU && p.Endpoint.Addr().Is6():
				a.fail(fmt.Sprintf("%d is out of range for an IPv6 endpoint", size.bytes),
					fmt.Sprintf("from %d to %d", minIPv6PLPMTU, maxPLPMTU))
			case size.key == "min_plpmtu" && p.MaxPLPMTU != 0 && size.bytes > p.MaxPLPMTU:
				a.fail(fmt.Sprintf("%d is more than max_plpmtu, which is %d", size.bytes, p.MaxPLPMTU), "the smaller of the two")
			}
		}
	}
}
