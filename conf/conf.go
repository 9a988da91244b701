package conf

import (
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"time"
)

// Config is a configuration without mistakes. It holds secrets, which do not
// print themselves, and is not changed after it has been read.
type Config struct {
	Path   string // of the file, as given to Load
	Tunnel Tunnel
	Peers  []Peer // in the order of the file; may be empty
}

// Tunnel is the [tunnel] table: this end.
type Tunnel struct {
	Name              string // of the network interface
	PrivateKey        SecretKey
	PrivateKeyFile    string
	ListenHost        netip.Addr     // outer address; invalid: all addresses
	ListenPort        uint16         // UDP; 0: any free port
	Uplinks           []string       // interfaces to the peers, the preferred one first; none: the kernel chooses
	Addresses         []netip.Prefix // inner addresses of this end, host bits kept
	Ciphers           []string       // the preferred one first; never empty
	RekeyAfter        time.Duration
	RekeyAfterPackets uint32
	Routes            bool   // add routes for allowed_ips
	OnStop            string // what becomes of packets for allowed_ips when the tunnel ends: OnStopRelease or OnStopBlock
	// FwMark is the mark of the tunnel's own packets (SO_MARK). 0: none, or one that
	// the tunnel chooses for DefaultRoutes.
	FwMark uint32
	// Table is the routing table of the routes. 0: the main table, and for
	// DefaultRoutes one that the tunnel chooses.
	Table        int
	MTU          int    // of the network interface, in bytes of an inner packet; 0: what the tunnel chooses
	Oversize     string // what becomes of inner packets above the inner MTU: OversizeCarry, OversizeSignal or OversizeDrop
	OuterDF      string // the DF bit of outer IPv4 packets: OuterDFSet or OuterDFClear
	DSCP         string // of outer packets: DSCPCopy or DSCPClear
	ECN          string // of outer packets: ECNNormal or ECNCompatibility
	MSSClamp     bool   // lower the MSS option (RFC 9293 section 3.7.1) of inner SYNs to what the path carries
	Offload      string // superpackets: OffloadAuto or OffloadOff
	Queues       int    // of the device, and sockets of each address family; 0: one for each CPU, within reason
	StatusSocket string
	HistoryFile  string // empty: the history is kept in memory alone
	// Metrics and the page are served at MetricsAddr, an address of the loopback, or at
	// MetricsSocket, the path of a Unix socket. Neither: nowhere.
	MetricsAddr    netip.AddrPort
	MetricsSocket  string
	LogLevel       slog.Level
	DebugESPSAFile string // where to write keys for Wireshark; empty: nowhere
}

// MainTable is the number of the host's main routing table (rt_tables(5)).
const MainTable = 254

// DefaultRoutes returns those of all peers' allowed prefixes that hold every address
// and get a table and rules of their own: if the tunnel adds the routes, and no table
// is named.
func (c *Config) DefaultRoutes() (list []netip.Prefix) {
	if !c.Tunnel.Routes || c.Tunnel.Table != 0 {
		return nil
	}
	for _, p := range c.Peers {
		for _, prefix := range p.AllowedIPs {
			if prefix.Bits() == 0 {
				list = append(list, prefix)
			}
		}
	}
	return list
}

// Peer is one [[peer]] table.
type Peer struct {
	Name      string
	PublicKey Key
	// ComingKey is the one that will replace PublicKey: until then the peer may have
	// either. Zero: none.
	ComingKey    Key
	PresharedKey SecretKey  // zero: none
	Endpoints    []Endpoint // the preferred one first; none: the peer must call us
	AllowedIPs   []netip.Prefix
	Keepalive    time.Duration // of silence before a NAT keepalive (RFC 3948 section 4); 0: none
	// Probing is how the PLPMTU is discovered: ProbingFan, ProbingSequential or
	// ProbingOff, which uses PLPMTU or else the egress MTU.
	Probing string
	// PLPMTU is the size to use instead of discovering it, whatever Probing
	// says; 0: none. This and the two below are bytes of the outer IP packet.
	PLPMTU int
	// MaxPLPMTU and MinPLPMTU bound what the discovery may find, MAX_PLPMTU
	// and MIN_PLPMTU of RFC 8899 section 5.1.2. 0: the egress MTU, and the
	// discovery's own minimum. Both are 0 where nothing is discovered.
	MaxPLPMTU, MinPLPMTU int
}

// Keys returns the public keys that the peer may have, PublicKey first.
func (p *Peer) Keys() []Key {
	keys := []Key{p.PublicKey, p.ComingKey}
	return slices.DeleteFunc(keys, func(k Key) bool { return k == Key{} })
}

// Values of the settings that are words.
const (
	// Tunnel.OnStop, with Routes.
	OnStopRelease = "release" // they take the host's other routes
	OnStopBlock   = "block"   // they are refused, until the next start or until the administrator removes the guards

	// Tunnel.Oversize.
	OversizeCarry  = "carry"  // across in pieces, whatever the path's MTU
	OversizeSignal = "signal" // as a router: fragment where DF allows it, else drop and send a PTB
	OversizeDrop   = "drop"   // silently: a black hole, for demonstrations

	// Tunnel.OuterDF. IPv6 has no such bit and behaves as if it were set.
	OuterDFSet   = "set"
	OuterDFClear = "clear" // routers may fragment

	// Tunnel.DSCP: the uniform and the pipe model of RFC 2983.
	DSCPCopy  = "copy"  // that of the inner packet
	DSCPClear = "clear" // best effort, whatever is inside

	// Tunnel.ECN: the modes of RFC 6040 section 4.1.
	ECNNormal        = "normal"        // that of the inner packet
	ECNCompatibility = "compatibility" // Not-ECT, for paths that mangle the field

	// Tunnel.Offload.
	OffloadAuto = "auto" // what the kernel offers
	OffloadOff  = "off"  // packets one by one

	// Peer.Probing.
	ProbingFan        = "fan"        // several sizes at once
	ProbingSequential = "sequential" // one at a time, to the letter of RFC 8899 section 5.3
	ProbingOff        = "off"        // no discovery
)

// Endpoint is a peer's place on the outer network. The zero Endpoint means that
// none is configured.
type Endpoint struct {
	Host string // DNS name, or IPv4 or IPv6 address without brackets
	Port uint16 // UDP
}

// IsZero reports whether there is no endpoint.
func (e Endpoint) IsZero() bool { return e == Endpoint{} }

// String returns host:port, with brackets around an IPv6 address, and nothing
// for the zero Endpoint.
func (e Endpoint) String() string {
	if e.IsZero() {
		return ""
	}
	return net.JoinHostPort(e.Host, strconv.Itoa(int(e.Port)))
}

// Addr returns the endpoint's address, invalid if it is a name.
func (e Endpoint) Addr() netip.Addr {
	addr, _ := netip.ParseAddr(e.Host)
	return addr.Unmap()
}
