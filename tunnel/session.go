package tunnel

// session holds everything needed to send to a peer: an immutable snapshot that
// the control goroutine replaces as a whole. A packet loop loads it once a packet
// and sends that packet by it, whatever changes meanwhile.
type session struct {
	peer *peer
	// sa is the SA to send on, nil before the first handshake and after the last
	// SA has ended.
	sa *outboundSA
	// path is where to send, and how large packets may be. It is never nil.
	path *path
}

// ready reports whether packets can be sent. A peer without a path has no
// session: nil is not ready.
func (s *session) ready() bool { return s != nil && s.sa != nil }

// publish makes the peer's current SA and path its session. A path that is a loop
// is not to be sent by.
func (p *peer) publish() {
	if pair := p.sas.current; pair != nil {
		p.sendSPI.Store(pair.outbound.SPI())
	}
	var s *session
	if p.path != nil && !p.looped() {
		s = &session{peer: p, path: p.path}
		if pair := p.sas.current; pair != nil {
			s.sa = pair.outbound
		}
	}
	if was := p.session.Swap(s).ready(); s.ready() && !was {
		p.company.Join()
	} else if was && !s.ready() {
		p.company.Leave()
	}
}

// setPath replaces the path, and publishes it.
func (p *peer) setPath(path *path) {
	p.path = path
	p.publish()
}
