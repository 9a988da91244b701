package conf

import (
	"log/slog"
	"net"
	"net/netip"
	"strconv"
	"time"
)

// Config is a configuration without mistakes.
type Config struct {
	Path   string // of the file it was read from
	Tunnel Tunnel
	Peers  []Peer
}

// Tunnel is the [tunnel] table: this end.
type Tunnel struct {
	Name              string // of the TUN device
	PrivateKeyFile    string
	PrivateKey        SecretKey
	ListenHost        netip.Addr     // outer address; invalid: all addresses
	ListenPort        uint16         // 0: any free port
	Addresses         []netip.Prefix // inner addresses, host bits kept
	Ciphers           []string       // in order of preference
	RekeyAfter        time.Duration
	RekeyAfterPackets uint32
	Routes            bool // add routes for allowed_ips
	StatusSocket      string
	LogLevel          slog.Level
	DebugESPSAFile    string // empty: keys are not written
}

// Peer is one [[peer]] table.
type Peer struct {
	Name         string
	PublicKey    Key
	PresharedKey SecretKey // zero: none
	Endpoint     Endpoint  // zero: the peer calls us
	AllowedIPs   []netip.Prefix
	Keepalive    time.Duration // 0: none
	PLPMTU       int           // bytes of the outer IP packet; 0: the egress interface's MTU
}

// Endpoint is where a peer is: a host name or an outer IP address, and a port.
type Endpoint struct {
	Host string
	Port uint16
}

// IsZero reports whether there is no endpoint.
func (e Endpoint) IsZero() bool { return e == Endpoint{} }

// String returns host:port, with brackets around an IPv6 address.
func (e Endpoint) String() string {
	return net.JoinHostPort(e.Host, strconv.Itoa(int(e.Port)))
}
