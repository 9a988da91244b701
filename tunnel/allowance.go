package tunnel

import (
	"errors"
	"sync/atomic"

	"fathom/esp"
)

// An allowance is how much may be sent to a place where the peer was never proved to
// be, in bytes of outer IP packets (RFC 9000 section 8.1). The control goroutine adds
// to it as packets come from there, as package paths says; those who send take from it,
// and send nothing that is more than what is left. The zero value allows nothing; nil
// allows everything.
type allowance struct{ left atomic.Int64 }

// errUnproved: nothing more is sent to the place until the peer has answered there.
var errUnproved = errors.New("the peer has not proved that it is there")

// take asks whether a packet of so many bytes of outer IP packet may be sent, and takes
// it as sent. Any goroutine may call it.
func (a *allowance) take(bytes int) bool {
	if a == nil {
		return true
	}
	if a.left.Add(-int64(bytes)) >= 0 {
		return true
	}
	a.left.Add(int64(bytes))
	return false
}

// messageSize returns the size of the outer IP packet with a control message that is
// padded to size, or not if that is 0.
func messageSize(to *path, message []byte, size int) int {
	if size > 0 {
		return size
	}
	return esp.OuterOverhead(to.IPv6()) + esp.PacketSize(len(message))
}

// provedHere reports whether the peer has proved that it receives where it is: then no
// allowance bounds what is sent there.
func (p *peer) provedHere() bool { return p.path != nil && p.path.allowance == nil }

// allow gives the path in use what may be sent there. As soon as the place is proved
// that is everything.
func (p *peer) allow() {
	switch path := p.path; {
	case path == nil || p.provedHere(): // a place that was proved stays so
	case p.paths.Limited():
		path.allowance.left.Add(int64(p.paths.Grant()))
	default:
		p.setPath(path.proved())
	}
}
