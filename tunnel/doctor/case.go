package doctor

import (
	"net/netip"

	"fathom/conf"
	"fathom/tunnel/status"
)

// Case is all that is known when the doctor is asked. It is only read.
type Case struct {
	// Peer is the name of the one that is asked about; empty: all.
	Peer   string
	Config *conf.Config
	// Status is that of the running tunnel; nil: it does not run, or, if Silent, does not
	// answer.
	Status *status.Status
	Silent bool
	// Facts is what peers have told of themselves, by their names.
	Facts map[string]*status.FactsReport
	Host  Host
}

// Host is what was seen of the host.
type Host struct {
	NoTUN        string // why /dev/net/tun cannot be opened; empty: it can
	NoCapability bool   // this process lacks CAP_NET_ADMIN
	// NoOffload says that the kernel neither cuts nor joins datagrams, and ReceiveBuffer
	// how many bytes a socket of this process gets; 0: not known. WantedBuffer is what the
	// tunnel asks for.
	NoOffload                   bool
	ReceiveBuffer, WantedBuffer int
	PortHolder                  string // who has the UDP port, and what to do; empty: it is free, or the tunnel's
	Forwards4, Forwards6        bool
	Interfaces                  []Interface
	Ways                        []Way
	Names                       []Name
	Knocks                      []Knock
	Returns                     []Return
	Routes                      []Route
	Policies                    []Policy
	Chains                      []Chain
}

// Interface is one of the host's.
type Interface struct {
	Name      string
	Addresses []netip.Prefix // each with its network
	RPFilter  int            // sysctl rp_filter as it holds for it; 1: strict
}

// Name is an endpoint of a peer's that is a name, and why it does not resolve; empty: it
// does.
type Name struct{ Peer, Host, Problem string }

// Way is the host's to a place of a peer's.
type Way struct {
	Peer      string
	To        netip.AddrPort
	Interface string // by which packets leave
	From      netip.Addr
	Problem   string // why there is none; empty: there is
}

// Knock is what came back when a packet was sent to a place of a peer's from a port of its
// own. Nothing else comes back from a tunnel: it does not answer strangers.
type Knock struct {
	Peer    string
	To      netip.AddrPort
	Result  KnockResult
	By      netip.Addr // who has answered
	Problem string     // in words
}

// KnockResult says what it was.
type KnockResult uint8

const (
	// Silence: nothing came back.
	Silence KnockResult = iota
	// Closed: the host at the place says that nothing has the port.
	Closed
	// Refused: somebody on the way says that the packet is not let through, or cannot be.
	Refused
	// NotSent: the host's own firewall has refused it.
	NotSent
)

// Return is the interface by which the host would answer what comes by an uplink.
type Return struct{ Peer, Uplink, Answered string }

// Route says by which interface a packet for a prefix of a peer's leaves; none: it is
// refused.
type Route struct {
	Peer      string
	Prefix    netip.Prefix
	Interface string
}

// Policy is an IPsec policy of the kernel's (XFRM) that transforms or blocks what it
// matches. Ports and protocol 0 are any.
type Policy struct {
	Out                        bool // else it is about what comes in, or is forwarded
	From, To                   netip.Prefix
	Protocol, FromPort, ToPort int
}

// Family is which of the two versions of IP something is about.
type Family uint8

const (
	// AnyFamily is both.
	AnyFamily Family = iota
	// IPv4 and IPv6 are one alone.
	IPv4
	IPv6
)

// Chain is a chain of nftables.
type Chain struct {
	Where  string // its name
	Family Family
	// SetsMSS says that a rule in it changes the MSS of TCP.
	SetsMSS bool
	// DropsPort says that it is on the way in, and drops a first packet to the tunnel's UDP
	// port.
	DropsPort bool
}

// peers returns the configured peers that are asked about.
func (c *Case) peers() (list []conf.Peer) {
	for _, p := range c.Config.Peers {
		if c.Peer == "" || c.Peer == p.Name {
			list = append(list, p)
		}
	}
	return list
}

// status returns what the tunnel tells of a peer, nil if nothing.
func (c *Case) status(peer string) *status.Peer {
	if c.Status == nil {
		return nil
	}
	for i := range c.Status.Peers {
		if p := &c.Status.Peers[i]; p.Name == peer {
			return p
		}
	}
	return nil
}

// up reports whether a peer is established.
func (c *Case) up(peer string) bool {
	s := c.status(peer)
	return s != nil && s.State == status.PeerEstablished
}

// own returns the inner addresses of this end.
func (c *Case) own() []netip.Prefix {
	if c.Status != nil {
		return c.Status.Addresses
	}
	return c.Config.Tunnel.Addresses
}

// has reports whether an interface of the host, the tunnel's among them, has an address.
func (h *Host) has(addr netip.Addr) bool {
	for _, i := range h.Interfaces {
		for _, p := range i.Addresses {
			if p.Addr() == addr {
				return true
			}
		}
	}
	return false
}
