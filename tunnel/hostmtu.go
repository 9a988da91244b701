package tunnel

import (
	"log/slog"
	"net/netip"
	"time"

	"fathom/conf"
	"fathom/esp"
	"fathom/tunnel/host"
	"fathom/tunnel/inner"
)

// hostNetwork is what the controller asks of the host: see host.Link.
type hostNetwork interface {
	Egress(flow host.Flow) (host.Egress, error)
	Ways(listen netip.AddrPort, uplinks []string, remotes []netip.AddrPort) []host.Way
	ReversePathDrops(ways []host.Way) (uplinks []string)
	Forget() // what all have learnt of the host: it may have changed
	LargestMTU() (int, error)
	SetMTU(mtu int) error
	Route(host.Route) error
	Mark() uint32
	DefaultTable() int
	Guard(netip.Prefix) error
	Withdraw(netip.Prefix) error
	Regroup() error
	Restore(now time.Time) (told []host.Repair, next time.Time)
	Condition(now time.Time) host.Condition
}

var _ hostNetwork = (*host.Link)(nil)

// hostMTUs tells the host what the peers' paths carry. By what means depends on
// what becomes of larger packets:
//
//	oversize  MTU of the device                    of the route
//	carry     the most that the host may be given  advmss that fits the path
//	signal    the largest of the peers' paths      MTU of the path
//
// The kernel drops packets larger than the device or the route, and tells the
// sender by a PTB, which may be lost. That is what signal is for. With carry the
// tunnel takes such packets across, so nothing may drop them before it.
type hostMTUs struct {
	network hostNetwork
	port    uint16 // of our sockets
	routes  bool   // are the tunnel's business
	carry   bool
	fixed   int    // the device's MTU, if the configuration says so, else 0
	device  int    // that the device has had last
	paths   census // of the hostMTUs of the peers' paths, as far as applied
	log     *slog.Logger
}

func newHostMTUs(c conf.Tunnel, network hostNetwork, port uint16, log *slog.Logger) hostMTUs {
	return hostMTUs{network: network, port: port, routes: c.Routes, carry: c.Oversize == conf.OversizeCarry, fixed: c.MTU, device: firstDeviceMTU(c), log: log}
}

// ethernetMTU is what nearly every network carries, in bytes of an IP packet.
const ethernetMTU = 1500

// defaultInnerMTU is what hosts are told while no peer's path is known: what an
// Ethernet path carries over either address family, in bytes.
var defaultInnerMTU = esp.InnerMTU(true, ethernetMTU)

// firstDeviceMTU is the device's MTU before anything is known of the host.
func firstDeviceMTU(c conf.Tunnel) int {
	switch {
	case c.MTU > 0:
		return c.MTU
	case c.Oversize == conf.OversizeCarry:
		return ethernetMTU
	}
	return defaultInnerMTU
}

// begin gives the host what it needs before the peers' paths are known: every
// allowed prefix leads into the device, or nowhere.
func (h *hostMTUs) begin(peers []*peer) error {
	h.lookAround()
	for _, p := range peers {
		for _, prefix := range p.allowed {
			if err := h.admit(prefix); err != nil {
				return err
			}
		}
	}
	return nil
}

// admit leads a prefix into the device, or nowhere. The path of its peer may not be known.
func (h *hostMTUs) admit(prefix netip.Prefix) error {
	if !h.routes {
		return nil
	}
	mtu := defaultInnerMTU
	if h.fixed > 0 {
		mtu = min(mtu, h.fixed)
	}
	if err := h.network.Route(h.route(prefix, mtu, mtu)); err != nil {
		return err
	}
	return h.network.Guard(prefix)
}

// withdraw takes prefixes from the device: they belong to no peer any more.
func (h *hostMTUs) withdraw(prefixes []netip.Prefix) {
	for _, prefix := range prefixes {
		if !h.routes {
			return
		}
		if err := h.network.Withdraw(prefix); err != nil {
			h.log.Error("cannot take back a route", "error", err)
		}
	}
}

// regroup follows when prefixes have been admitted or withdrawn while the tunnel runs.
func (h *hostMTUs) regroup() {
	if !h.routes {
		return
	}
	if err := h.network.Regroup(); err != nil {
		h.log.Warn("the second line of guards is not complete", "error", err)
	}
}

// forget takes note that a peer is gone.
func (h *hostMTUs) forget(p *peer) {
	h.paths.move(p.appliedHostMTU, 0)
	p.appliedHostMTU = 0
	if !h.carry && h.paths.largest > 0 {
		h.setDevice(max(h.paths.largest, host.MinIPv6LinkMTU))
	}
}

// apply tells the host of a peer's new hostMTU. The device carries both families.
func (h *hostMTUs) apply(p *peer) {
	h.paths.move(p.appliedHostMTU, p.path.hostMTU)
	p.appliedHostMTU = p.path.hostMTU
	largest := max(h.paths.largest, host.MinIPv6LinkMTU)
	if h.carry {
		h.grow(largest)
	} else {
		h.setDevice(largest)
	}
	h.describe(p)
}

// describe gives the routes to a peer what fits its path.
func (h *hostMTUs) describe(p *peer) {
	if !h.routes {
		return
	}
	for _, prefix := range p.allowed {
		if err := h.network.Route(h.route(prefix, p.path.hostMTU, p.path.linkMTU(prefix.Addr().Is6()))); err != nil {
			h.log.Error("cannot set a route", "peer", p.name, "error", err)
		}
	}
}

// lookAround makes sure that the device takes what any other interface of the
// host may bring.
func (h *hostMTUs) lookAround() {
	if !h.carry || h.fixed > 0 {
		return
	}
	largest, err := h.network.LargestMTU()
	if err != nil {
		h.log.Warn("cannot look at the MTUs of the host's interfaces", "error", err)
		return
	}
	h.grow(largest)
}

// grow raises the MTU of the device. It is never lowered, since connections
// that have begun with the larger one go on sending such packets.
func (h *hostMTUs) grow(mtu int) { h.setDevice(max(h.device, mtu)) }

func (h *hostMTUs) setDevice(mtu int) {
	if h.fixed > 0 || mtu == h.device {
		return
	}
	h.device = mtu
	if err := h.network.SetMTU(mtu); err != nil {
		h.log.Error("cannot set the MTU of the TUN device", "error", err)
	}
}

// route is the route to a prefix by a path. hostMTU is what fits the path, and
// linkMTU what the tunnel as a link carries of that family, both in bytes.
func (h *hostMTUs) route(prefix netip.Prefix, hostMTU, linkMTU int) host.Route {
	if !h.carry {
		return host.Route{Prefix: prefix, MTU: linkMTU}
	}
	return host.Route{Prefix: prefix, AdvMSS: inner.MSS(prefix.Addr().Is6(), hostMTU)}
}
