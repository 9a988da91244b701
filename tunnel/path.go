package tunnel

import (
	"net/netip"

	"fathom/esp"
	"fathom/tunnel/host"
	"fathom/tunnel/paths"
	"fathom/tunnel/udp"
)

// path says where a peer is and how large a packet may be on the way there.
// It is an immutable snapshot, replaced as a whole by the control goroutine;
// the packet loops load it once a packet. It is the one place that decides how
// large an inner packet may be.
type path struct {
	// Destination is the peer's outer address and port, and the address of ours
	// that the peer sends to, so that answers come from where it expects them.
	*udp.Destination
	// pair is the same in terms of package paths: its local address is the one that
	// packets leave from, also where the kernel is not told.
	pair paths.Pair
	// number is that of the discovery that packets by this path belong to, 0: none.
	number uint16
	// plpmtu is the largest outer IP packet in bytes.
	plpmtu int
	// innerMTU is the largest inner packet in bytes, derived from plpmtu.
	innerMTU int
	// settled is the PLPMTU with which the last search has ended; before the first
	// end of a search, the egress MTU.
	settled int
	// hostMTU is the inner MTU that hosts are told, by TCP's MSS and, as linkMTU,
	// by PTBs and routes, in bytes. Hosts keep it for minutes, or for good. So
	// they do not hear of the sizes that a search or a suspicion begins with: a
	// packet between innerMTU and hostMTU travels in pieces meanwhile.
	hostMTU int
	// deviceMTU is the most that hostMTU says, in bytes: the device's MTU where
	// the configuration fixes it, else 0.
	deviceMTU int
	// heldMTU is the most that hostMTU says for a while after a switch, in bytes: what
	// hosts had been told until then; 0: no switch was lately.
	heldMTU int
	// egress is the MTU of the host's own interface or route towards the
	// endpoint, in bytes of the outer IP packet.
	egress int
	// by is the index of that interface.
	by int
}

func newPath(endpoint netip.AddrPort, local netip.Addr) *path {
	return newPathBy(paths.Pair{Local: local, Remote: endpoint}, local)
}

// newPathBy is newPath by a pair. source is the address that the kernel is told to
// send from; invalid: it chooses the pair's by itself.
func newPathBy(pair paths.Pair, source netip.Addr) *path {
	return &path{Destination: udp.NewDestinationBy(pair.Remote, source, pair.Interface), pair: pair}
}

// Matches reports whether a packet from remote that arrived at local has come by the
// path.
func (p *path) Matches(remote netip.AddrPort, local netip.Addr) bool {
	return p.pair.Remote == remote && p.pair.Local == local
}

// with returns the same path with other sizes. The settled size is at most
// that of the egress.
func (p *path) with(plpmtu, settled, egress int) *path {
	next := *p
	next.plpmtu, next.settled, next.egress = plpmtu, min(settled, egress), egress
	next.innerMTU = esp.InnerMTU(p.IPv6(), plpmtu)
	next.hostMTU = max(esp.InnerMTU(p.IPv6(), next.settled), next.innerMTU)
	if p.deviceMTU > 0 {
		next.hostMTU = min(next.hostMTU, p.deviceMTU)
	}
	if p.heldMTU > 0 {
		next.hostMTU = min(next.hostMTU, p.heldMTU)
	}
	return &next
}

// linkMTU is the MTU of the tunnel as a link, in bytes of an inner packet of
// either family. An IPv6 link carries 1280 bytes (RFC 8200 section 5), if need be
// in pieces, and no PTB says less.
func (p *path) linkMTU(v6 bool) int {
	if v6 {
		return max(p.hostMTU, host.MinIPv6LinkMTU)
	}
	return p.hostMTU
}
