package tunnel

import (
	"sync"
	"time"

	"fathom/tunnel/udp"
)

// ports are the sockets of a running tunnel: conn, those of its port, and beside them for
// a while those of a second one, or of the former one. Their receive loops end when they
// are closed.
type ports struct {
	conn    *udp.Conn
	events  *events
	receive func(*udp.Conn) // starts the loops

	mu     sync.Mutex
	beside map[*udp.Conn]bool // guarded by mu; open
}

// open opens a second port: see otherPort.
func (p *ports) open() (*trial, error) {
	other, err := p.conn.Another()
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	if p.beside == nil {
		p.beside = make(map[*udp.Conn]bool)
	}
	p.beside[other] = true
	p.mu.Unlock()
	p.receive(other)
	return &trial{
		port:  other.Addrs()[0].Port(),
		plain: newSender(controllerPlace, other, p.events).plain,
		accept: func() {
			p.conn.Exchange(other)
			time.AfterFunc(oldPortStays, func() { p.end(other) })
		},
		close: func() { p.end(other) },
	}, nil
}

// end closes one of the ports beside, unless that has been done.
func (p *ports) end(other *udp.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.beside[other] {
		delete(p.beside, other)
		other.Close()
	}
}

// close closes all ports.
func (p *ports) close() {
	p.conn.Close()
	p.mu.Lock()
	defer p.mu.Unlock()
	for other := range p.beside {
		other.Close()
	}
	clear(p.beside)
}
