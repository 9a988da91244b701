package conf

import (
	"fmt"
	"regexp"
	"strconv"
	"time"
)

// Limits of values.
const (
	minKeepalive, maxKeepalive = time.Second, time.Hour
	// minPLPMTU is the least size in bytes that every IPv4 host must be able
	// to receive (RFC 791 section 3.2).
	minPLPMTU, maxPLPMTU = 576, 65535
	// minIPv6PLPMTU is what every IPv6 link must carry (RFC 8200 section 5).
	minIPv6PLPMTU = 1280
	maxPeerName   = 63 // bytes
	maxEndpoints  = 8
)

// fields are the keys of [[peer]].
func (p *Peer) fields() []field {
	return []field{
		{"name", text, true, `"storage"`, p.setName},
		{"public_key", oneOrMore, true, `"the peer's, as fathom pubkey prints it"`, p.setPublicKey},
		{"preshared_key_file", text, false, "", func(a at, v value) {
			if file, ok := a.path(v, &a.d.reads); ok {
				p.PresharedKey, _ = a.secret(file, "fathom genpsk")
			}
		}},
		{"endpoint", oneOrMore, false, "", p.addEndpoint},
		{"allowed_ips", list, true, `["10.77.0.2/32"]`, p.addAllowedIP},
		{"keepalive", duration, false, `"0s"`, setDuration(&p.Keepalive, minKeepalive, maxKeepalive, true)},
		{"probing", text, false, strconv.Quote(ProbingFan), setChoice(&p.Probing, "a mode of probing", ProbingFan, ProbingSequential, ProbingOff)},
		// checkPLPMTUs compares the sizes with others.
		{"plpmtu", integer, false, "", setNumber(&p.PLPMTU, minPLPMTU, maxPLPMTU)},
		{"max_plpmtu", integer, false, "", setNumber(&p.MaxPLPMTU, minPLPMTU, maxPLPMTU)},
		{"min_plpmtu", integer, false, "", setNumber(&p.MinPLPMTU, minPLPMTU, maxPLPMTU)},
	}
}

var peerName = regexp.MustCompile(fmt.Sprintf(`^[A-Za-z0-9._-]{1,%d}$`, maxPeerName))

func (p *Peer) setName(a at, v value) {
	if peerName.MatchString(v.text) {
		p.Name = v.text
	} else {
		a.fail(fmt.Sprintf("%q cannot be the name of a peer", v.text), fmt.Sprintf("1 to %d letters, digits, dots, hyphens and underscores", maxPeerName))
	}
}

// publicKeyHint says where a public key comes from.
var publicKeyHint = fmt.Sprintf("the %d characters that `fathom pubkey` prints on the peer", keyLength)

// setPublicKey leaves it to checkKeys to find another kind of key.
func (p *Peer) setPublicKey(a at, v value) {
	key, err := ParseKey(v.text)
	switch {
	case err != nil:
		a.fail("is not a key: "+err.Error(), publicKeyHint)
		return
	case p.PublicKey == Key{}:
		p.PublicKey = key
	case p.ComingKey == Key{}:
		p.ComingKey = key
	default:
		a.fail("has more than two keys", "the key that the peer has, and the one that will replace it")
		return
	}
	a.d.keys = append(a.d.keys, a)
}

// addEndpoint leaves the comparison with other endpoints to checkEndpoints.
func (p *Peer) addEndpoint(a at, v value) {
	host, port, problem := splitHostPort(v.text)
	if problem == "" && port == 0 {
		problem = "has port 0, at which no host can be reached"
	} else if problem == "" {
		problem = hostProblem(host)
	}
	switch {
	case problem != "":
		a.fail(fmt.Sprintf("%q %s", v.text, problem), `"host.example.org:4500", "192.0.2.1:4500" or "[2001:db8::1]:4500"`)
	case len(p.Endpoints) == maxEndpoints:
		a.fail(fmt.Sprintf("%q is one too many", v.text), fmt.Sprintf("at most %d; a name may have several addresses", maxEndpoints))
	default:
		p.Endpoints = append(p.Endpoints, Endpoint{host, port})
		a.d.places = append(a.d.places, a)
	}
}

// addAllowedIP leaves the comparison with other prefixes to checkPrefixes,
// which is also given the ones that are wrong here in their host bits.
func (p *Peer) addAllowedIP(a at, v value) {
	prefix, ok := a.prefix(v.text, `an address and the length of a prefix, such as "10.77.0.2/32"`)
	addr, masked := prefix.Addr(), prefix.Masked()
	switch {
	case !ok:
		return
	case prefix != masked:
		a.fail(v.text+" has host bits set", fmt.Sprintf("%s for the network, %s/%d for the host", masked, addr, addr.BitLen()))
	case addr.IsLoopback():
		a.fail(v.text+" is this host itself, on every host", "inner addresses behind the peer")
	case addr.IsUnspecified() && prefix.IsSingleIP():
		a.fail(v.text+" is no address of a host", fmt.Sprintf("%s/0 for all of them", addr))
	}
	p.AllowedIPs = append(p.AllowedIPs, masked)
	a.d.prefixes = append(a.d.prefixes, ownedPrefix{masked, a})
}
