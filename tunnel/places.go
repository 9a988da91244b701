package tunnel

import (
	"net/netip"
	"slices"
	"sync"
)

// places finds the peer at an endpoint, at the same cost however many peers there
// are: what strangers send is looked up here. The control goroutine keeps it, any
// goroutine may read it.
type places struct {
	peers sync.Map         // netip.AddrPort to *peer
	next  []netip.AddrPort // scratch of the control goroutine
}

// follow has a peer be found where it is, and where its paths lead that stand by: PTBs
// about their probes name those places. Of two peers at the same place the last that
// came is found, but none that stands by in place of one that is there.
func (m *places) follow(p *peer) {
	if p.path == nil {
		return
	}
	at := p.path.Remote()
	moved := len(p.foundAt) == 0 || p.foundAt[0] != at
	if !moved && len(p.foundAt) == 1 && len(p.standbys.all) == 0 {
		return
	}
	if moved {
		m.peers.Store(at, p)
	}
	m.next = append(m.next[:0], at)
	for _, d := range p.standbys.all {
		at := d.key.remote
		if slices.Contains(m.next, at) {
			continue
		}
		m.peers.LoadOrStore(at, p) // each time: the peer that was found there may have left
		m.next = append(m.next, at)
	}
	for _, at := range p.foundAt {
		if !slices.Contains(m.next, at) {
			m.peers.CompareAndDelete(at, p)
		}
	}
	p.foundAt = append(p.foundAt[:0], m.next...)
}

// leave notes that a peer is gone: it is found nowhere any more.
func (m *places) leave(p *peer) {
	for _, at := range p.foundAt {
		m.peers.CompareAndDelete(at, p)
	}
	p.foundAt = nil
}

// at returns the peer at an endpoint, nil if none is.
func (m *places) at(endpoint netip.AddrPort) *peer {
	p, _ := m.peers.Load(endpoint)
	found, _ := p.(*peer)
	return found
}
