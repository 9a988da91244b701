package tunnel

import "fathom/esp"

// sender seals packets and sends them. Each goroutine has its own, since it
// owns the outbox that every packet is built in; the SAs and the sockets
// behind it are shared.
type sender struct {
	outbox  *outbox
	events  sendEvents
	scratch esp.Scratch
}

func newSender(l lane, sockets *udpSockets, events sendEvents) *sender {
	return &sender{outbox: newOutbox(l, sockets, events), events: events}
}

// room returns the place where a payload of at most size bytes will be sealed:
// appended to it behind esp.HeaderSize bytes, it need not be copied again.
func (s *sender) room(size int) []byte { return s.outbox.room(esp.PacketSize(size)) }

// reserve takes consecutive sequence numbers for packets of data, which are then
// sealed by sealNext: as many as are wanted, or fewer where the lane may not hold
// so many.
func (s *sender) reserve(sa *outboundSA, wanted int) (esp.Numbers, error) {
	s.outbox.room(0)
	return s.reserveAll(sa, min(wanted, s.outbox.lane.most-s.outbox.count))
}

// reserveAll is reserve for packets that belong together.
func (s *sender) reserveAll(sa *outboundSA, wanted int) (esp.Numbers, error) {
	// First, so that no report request asks for them before they have left.
	sa.sizes.Queued(s.outbox.lane.number, sa.Packets()+1)
	return sa.Reserve(wanted)
}

// seal puts one payload of data, sealed for the peer's SA, into the outbox; tos
// is that of the outer packet. The path's limits are the caller's to observe.
func (s *sender) seal(p *peer, sa *outboundSA, to *path, payload []byte, nextHeader, tos uint8) error {
	s.room(len(payload))
	numbers, err := s.reserveAll(sa, 1)
	if err != nil {
		return err
	}
	s.sealNext(p, sa, to, &numbers, payload, nextHeader, tos)
	return nil
}

// sealNext is seal under the next of the numbers.
func (s *sender) sealNext(p *peer, sa *outboundSA, to *path, numbers *esp.Numbers, payload []byte, nextHeader, tos uint8) {
	room := s.room(len(payload))
	sa.sizes.Queued(s.outbox.lane.number, numbers.Next()) // that may have emptied the outbox
	packet, seq := sa.SealNext(&s.scratch, numbers, room, payload, nextHeader)
	t := s.outbox.put(p, to, tos, len(packet), &sa.sizes, seq)
	if nextHeader != esp.NextHeaderAggFrag {
		t.inner.packets++
		t.inner.bytes += len(payload)
	}
	if sa.sizes.Record(seq, esp.OuterOverhead(to.endpoint.Addr().Is6())+len(packet), true) {
		s.events.dataFlows(p)
	}
}

// control puts the payload of a dummy packet, which is no data, into the outbox.
// With size, in bytes of the outer IP packet, the packet is padded to exactly
// that.
func (s *sender) control(p *peer, sa *outboundSA, to *path, payload []byte, size int) error {
	overhead := esp.OuterOverhead(to.endpoint.Addr().Is6())
	var packet []byte
	var seq uint32
	var err error
	if size > 0 {
		packet, seq, err = sa.SealSize(&s.scratch, s.outbox.room(size-overhead), payload, esp.NextHeaderDummy, size-overhead)
	} else {
		packet, seq, err = sa.Seal(&s.scratch, s.room(len(payload)), payload, esp.NextHeaderDummy)
	}
	if err != nil {
		return err
	}
	s.outbox.put(p, to, 0, len(packet), nil, seq)
	sa.sizes.Record(seq, overhead+len(packet), false)
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
