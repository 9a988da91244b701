package tunnel

import (
	"log/slog"
	"net/netip"
	"time"

	"fathom/tunnel/host"
)

// hostNetwork is what the controller asks of the host: see host.Link.
type hostNetwork interface {
	EgressMTU(to netip.Addr) (int, error)
	SetMTU(mtu int) error
	Route(host.Route) error
	Restore(now time.Time) (told []host.Repair, next time.Time)
	Condition(now time.Time) host.Condition
}

// hostMTUs gives the device and the routes the MTUs of the peers' paths.
type hostMTUs struct {
	network hostNetwork
	routes  bool // are the tunnel's business
	log     *slog.Logger
}

// apply gives a peer's routes the MTU of its path, and the device the largest
// of all peers'. The device carries both families.
func (h *hostMTUs) apply(p *peer, peers []*peer) {
	largest := 0
	for _, other := range peers {
		if other.path != nil {
			largest = max(largest, other.path.linkMTU(true))
		}
	}
	if err := h.network.SetMTU(largest); err != nil {
		h.log.Error("cannot set the MTU of the TUN device", "error", err)
	}
	if !h.routes {
		return
	}
	for _, prefix := range p.allowed {
		if err := h.network.Route(host.Route{Prefix: prefix, MTU: p.path.linkMTU(prefix.Addr().Is6())}); err != nil {
			h.log.Error("cannot set a route", "peer", p.name, "error", err)
		}
	}
}
