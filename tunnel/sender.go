package tunnel

import (
	"errors"
	"time"

	"golang.org/x/sys/unix"

	"fathom/esp"
)

// sender seals packets and sends them. Each goroutine has its own, since it
// owns the buffer that every packet is built in; the SAs and the sockets
// behind it are shared.
type sender struct {
	sockets *udpSockets
	scratch esp.Scratch
	buffer  []byte
}

func newSender(sockets *udpSockets) *sender {
	return &sender{sockets: sockets, buffer: make([]byte, 0, maxDatagram)}
}

// send seals one payload for the SA and sends it along the path. The path's
// limits are the caller's to observe.
func (s *sender) send(sa *esp.Outbound, to *path, payload []byte, nextHeader uint8) error {
	packet, _, err := sa.Seal(&s.scratch, s.buffer, payload, nextHeader)
	if err != nil {
		return err
	}
	return s.sockets.write(packet, to)
}

// keepalive sends the single byte of RFC 3948 section 2.3.
func (s *sender) keepalive(to *path) error {
	return s.sockets.write(esp.AppendKeepalive(s.buffer), to)
}

// forward sends an inner packet to a peer that has an SA and a path.
func (s *sender) forward(p *peer, sa *esp.Outbound, to *path, inner innerPacket) {
	if len(inner.bytes) > to.innerMTU {
		p.drops.count(dropTooLarge)
		return
	}
	if err := s.send(sa, to, inner.bytes, inner.nextHeader); err != nil {
		p.drops.count(dropReasonOf(err))
		return
	}
	p.tx.add(len(inner.bytes))
}

// releaseWaiting sends what waits for the peer's SA, if it has one by now.
func (s *sender) releaseWaiting(p *peer, now time.Time) {
	sa, to := p.outbound.Load(), p.path.Load()
	if sa == nil || to == nil {
		return
	}
	for _, inner := range p.waiting.take(now) {
		s.forward(p, sa, to, inner)
	}
}

// dropReasonOf names the reason behind an error of send.
func dropReasonOf(err error) dropReason {
	switch {
	case errors.Is(err, esp.ErrExhausted):
		return dropExhausted
	case errors.Is(err, unix.EMSGSIZE):
		return dropSendTooLarge
	default:
		return dropSend
	}
}
