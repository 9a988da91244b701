package tunnel

import (
	"net/netip"
	"sync/atomic"

	"fathom/esp"
	"fathom/tunnel/inner"
)

// returns recognizes the tunnel's own outer packets where the host has routed them
// back into it: carried, each would come back once more, for ever. A path that is a
// loop is not used (egress.go); this is for the moment before the controller hears
// that the host's routes have changed, and for loops that no look-up shows.
//
// Such a packet has our port, the endpoint of a peer and the SPI of the SA to it.
// The SPI tells it from those of other hosts behind this end, which may talk to the
// same peer by the same port.
type returns struct {
	port   *atomic.Uint32 // of our sockets
	places *places
}

// sentTo returns the peer that the tunnel has sent an inner packet to, as an outer
// one; nil: it is no packet of ours. Only those from our port cost a look-up.
func (r *returns) sentTo(packet *inner.Packet) *peer {
	source, destination, payload, ok := packet.UDP()
	if !ok || uint32(source) != r.port.Load() {
		return nil
	}
	spi, err := esp.SPIOf(payload)
	if err != nil {
		return nil
	}
	p := r.places.at(netip.AddrPortFrom(packet.Destination, destination))
	if p == nil || p.sendSPI.Load() != spi {
		return nil
	}
	return p
}
