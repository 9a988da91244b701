package tunnel

import (
	"fathom/esp"
	"fathom/pmtud"
)

// sender seals packets and sends them. Each goroutine has its own, since it
// owns the outbox that every packet is built in; the SAs and the sockets
// behind it are shared.
type sender struct {
	outbox  *outbox
	events  sendEvents
	scratch esp.Scratch
}

// newSender returns the sender of a lane: see pmtud.SentLog.
func newSender(lane int, sockets *udpSockets, events sendEvents) *sender {
	return &sender{outbox: newOutbox(lane, sockets, events), events: events}
}

// room returns the place where a payload of at most size bytes will be sealed:
// appended to it behind esp.HeaderSize bytes, it need not be copied again.
func (s *sender) room(size int) []byte { return s.outbox.room(esp.PacketSize(size)) }

// seal puts one payload, sealed for the peer's SA, into the outbox; tos is that
// of the outer packet. With size, in bytes of the outer IP packet, the packet
// is padded to exactly that. The path's limits are the caller's to observe.
func (s *sender) seal(p *peer, sa *outboundSA, to *path, payload []byte, nextHeader, tos uint8, size int) error {
	overhead := esp.OuterOverhead(to.endpoint.Addr().Is6())
	exactly := size > 0
	if !exactly {
		size = overhead + esp.PacketSize(len(payload))
	}
	packet, seq, err := s.outbox.room(size-overhead), uint32(0), error(nil)
	if exactly {
		packet, seq, err = sa.SealSize(&s.scratch, packet, payload, nextHeader, size-overhead)
	} else {
		packet, seq, err = sa.Seal(&s.scratch, packet, payload, nextHeader)
	}
	if err != nil {
		return err
	}
	data := nextHeader != esp.NextHeaderDummy
	var log *pmtud.SentLog
	if data {
		log = &sa.sizes
	}
	s.outbox.put(p, to, tos, len(packet), log, seq)
	if sa.sizes.Record(seq, size, data) {
		s.events.dataFlows(p)
	}
	return nil
}

// plain sends a datagram that is not ESP: a handshake message or a keepalive.
func (s *sender) plain(datagram []byte, to *path) error {
	room := append(s.outbox.room(len(datagram))[:0], datagram...)
	s.outbox.put(nil, to, 0, len(room), nil, 0)
	return s.outbox.flush()
}

// keepalive sends the single byte of RFC 3948 section 2.3.
func (s *sender) keepalive(to *path) error {
	return s.plain(esp.AppendKeepalive(nil), to)
}
