package tunnel

import "sync"

// initiators finds the peer that an initiation of ours went to by its handshake
// id, as long as it may be answered. The control goroutine keeps it, any goroutine
// may read it: an answer to nothing costs no more than the look-up.
type initiators struct {
	peers sync.Map // uint32 to *peer
}

func (m *initiators) add(id uint32, p *peer) { m.peers.Store(id, p) }
func (m *initiators) remove(id uint32)       { m.peers.Delete(id) }

// find returns the peer, nil if nothing with that id is outstanding.
func (m *initiators) find(id uint32) *peer {
	p, _ := m.peers.Load(id)
	found, _ := p.(*peer)
	return found
}
