package tunnel

import (
	"net/netip"
	"sync"

	"fathom/esp"
	"fathom/tunnel/inner"
)

// returns recognizes the tunnel's own outer packets where the host has routed them
// back into it: carried, each would come back once more, for ever. A path that is a
// loop is not used (roaming.go); this is for the moment before the controller hears
// that the host's routes have changed, and for loops that no look-up shows.
//
// Such a packet has our port, the endpoint of a peer and the SPI of the SA to it.
// The SPI tells it from those of other hosts behind this end, which may talk to the
// same peer by the same port.
type returns struct {
	port  uint16 // of our sockets
	mu    sync.RWMutex
	peers map[netip.AddrPort]*peer // guarded by mu; by their endpoints
}

func newReturns(port uint16) *returns {
	return &returns{port: port, peers: make(map[netip.AddrPort]*peer)}
}

// moved takes note of a peer's new endpoint, and of the old one, which may be
// invalid.
func (r *returns) moved(p *peer, from, to netip.AddrPort) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.peers[from] == p {
		delete(r.peers, from)
	}
	r.peers[to] = p
}

// sentTo returns the peer that the tunnel has sent an inner packet to, as an outer
// one; nil: it is no packet of ours. It takes a lock for packets from our port alone.
func (r *returns) sentTo(packet *inner.Packet) *peer {
	source, destination, payload, ok := packet.UDP()
	if !ok || source != r.port {
		return nil
	}
	spi, err := esp.SPIOf(payload)
	if err != nil {
		return nil
	}
	r.mu.RLock()
	p := r.peers[netip.AddrPortFrom(packet.Destination, destination)]
	r.mu.RUnlock()
	if p == nil || p.sendSPI.Load() != spi {
		return nil
	}
	return p
}
