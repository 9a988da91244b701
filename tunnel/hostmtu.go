package tunnel

import (
	"log/slog"
	"net/netip"

	"fathom/tunnel/host"
)

// hostNetwork is what the controller asks of the host: see host.Link.
type hostNetwork interface {
	Egress(flow host.Flow) (host.Egress, error)
	Forget() // what Egress has learnt of the host: it may have changed
	SetMTU(mtu int) error
	Route(prefix netip.Prefix, mtu int) error
}

// hostMTUs gives the device and the routes the MTUs of the peers' paths.
type hostMTUs struct {
	network hostNetwork
	port    uint16 // of our sockets
	routes  bool   // are the tunnel's business
	device  int    // the MTU that the device was given last
	paths   census // of the hostMTUs of the peers' paths, as far as applied
	log     *slog.Logger
}

// apply gives a peer's routes the MTU of its path, and the device the largest
// of all peers'. The device carries both families.
func (h *hostMTUs) apply(p *peer) {
	h.paths.move(p.appliedHostMTU, p.path.hostMTU)
	p.appliedHostMTU = p.path.hostMTU
	if mtu := max(h.paths.largest, host.MinIPv6LinkMTU); mtu != h.device {
		h.device = mtu
		if err := h.network.SetMTU(mtu); err != nil {
			h.log.Error("cannot set the MTU of the TUN device", "error", err)
		}
	}
	if !h.routes {
		return
	}
	for _, prefix := range p.allowed {
		if err := h.network.Route(prefix, p.path.linkMTU(prefix.Addr().Is6())); err != nil {
			h.log.Error("cannot set a route", "peer", p.name, "error", err)
		}
	}
}
