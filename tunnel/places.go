package tunnel

import (
	"net/netip"
	"sync"
)

// places finds the peer at an endpoint, at the same cost however many peers there
// are: what strangers send is looked up here. The control goroutine keeps it, any
// goroutine may read it.
type places struct {
	peers sync.Map // netip.AddrPort to *peer
}

// move notes that a peer is now at an endpoint. Of two peers at the same one the
// last that came is found.
func (m *places) move(p *peer, to netip.AddrPort) {
	if p.path != nil {
		m.peers.CompareAndDelete(p.path.Remote(), p)
	}
	m.peers.Store(to, p)
}

// leave notes that a peer is gone.
func (m *places) leave(p *peer) {
	if p.path != nil {
		m.peers.CompareAndDelete(p.path.Remote(), p)
	}
}

// at returns the peer at an endpoint, nil if none is.
func (m *places) at(endpoint netip.AddrPort) *peer {
	p, _ := m.peers.Load(endpoint)
	found, _ := p.(*peer)
	return found
}
