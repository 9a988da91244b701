package tunnel

import (
	"net/netip"

	"fathom/esp"
)

// path says where a peer is and how large a packet may be on the way there.
// It is an immutable snapshot, replaced as a whole by the control goroutine;
// the packet loops load it once a packet. It is the one place that decides how
// large an inner packet may be.
type path struct {
	// endpoint is the peer's outer address and port.
	endpoint netip.AddrPort
	// local is the address of ours that the peer sends to, so that answers
	// come from where the peer expects them. Invalid: the kernel chooses.
	local netip.Addr
	// source is the ancillary data that makes the kernel send from local.
	source []byte
	// plpmtu is the largest outer IP packet in bytes.
	plpmtu int
	// innerMTU is the largest inner packet in bytes, derived from plpmtu.
	innerMTU int
	// origin says where plpmtu comes from.
	origin plpmtuOrigin
}

type plpmtuOrigin string

const (
	fromConfiguration plpmtuOrigin = "configuration"
	fromEgress        plpmtuOrigin = "egress"
)

func newPath(endpoint netip.AddrPort, local netip.Addr, plpmtu int, origin plpmtuOrigin) *path {
	return &path{
		endpoint: endpoint,
		local:    local,
		source:   sourceControl(local),
		plpmtu:   plpmtu,
		innerMTU: esp.InnerMTU(endpoint.Addr().Is6(), plpmtu),
		origin:   origin,
	}
}

// is reports whether a datagram from the given address to the given local one
// came along this path.
func (p *path) is(from netip.AddrPort, local netip.Addr) bool {
	return p.endpoint == from && p.local == local
}
