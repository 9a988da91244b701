package tunnel

import (
	"net/netip"

	"fathom/esp"
	"fathom/tunnel/control"
	"fathom/tunnel/udp"
)

// sender seals packets and sends them. Each goroutine has its own, since it
// owns the outbox that every packet is built in; the SAs and the sockets
// behind it are shared.
type sender struct {
	outbox *udp.Outbox
	index  int // by which pmtud.SentLog knows it
	events sendEvents
	// queued is the data in the outbox, by session.
	queued  []queued
	scratch esp.Scratch
}

// queued counts the inner packets to a peer that wait in the outbox.
type queued struct {
	to             *session
	packets, bytes int
}

// sendEvents is how a sender tells what it learns. None of the calls blocks.
type sendEvents interface {
	// dataFlows tells that data goes to a peer whose discovery waits for it.
	dataFlows(p *peer)
	// tooBig tells that the kernel has refused a packet of a session for its
	// size, in bytes of the outer IP packet.
	tooBig(to *session, size int)
	// icmp passes on a message from a socket's error queue, whose quote it does not
	// keep.
	icmp(m udp.ICMP)
	// noSegmentation tells that UDP_SEGMENT does not work behind a socket and
	// is not used any more.
	noSegmentation(local netip.AddrPort, why error)
}

// A senderPlace is what distinguishes the goroutines that seal and send on the
// same SAs.
type senderPlace struct {
	index int
	waits bool // for room in a full socket; else packets without room are dropped
	max   int  // datagrams that it may have numbered and not sent, 0: the outbox's default
}

// controllerPlace is that of the control goroutine, which waits for nothing: its
// messages are sent again by their protocols, and the packets that have waited
// for an SA by theirs.
var controllerPlace = senderPlace{}

// transmitterPlace returns that of transmitter i of several. All of them number
// their packets from the same counters. If each holds so few at a time, the last
// one to hand over what it has is still within the anti-replay window of the far
// end, with half of it to spare for what happens on the way.
func transmitterPlace(i, of int) senderPlace {
	return senderPlace{index: controllerPlace.index + 1 + i, waits: true, max: max(1, esp.WindowSize/2/of)}
}

func newSender(place senderPlace, conn *udp.Conn, events sendEvents) *sender {
	s := &sender{index: place.index, events: events}
	s.outbox = conn.NewOutbox(udp.OutboxConfig{
		Wait: place.waits, Max: place.max,
		Refused: s.refused, ICMP: events.icmp, NoSegmentation: events.noSegmentation,
	})
	return s
}

// refused counts datagrams that the kernel has not taken. The owner is their
// session, nil for datagrams that are not ESP.
func (s *sender) refused(owner any, datagrams, size int, why error) {
	to, ok := owner.(*session)
	if !ok {
		return
	}
	reason := dropReasonOf(why)
	to.peer.drops.add(reason, datagrams)
	if saysNothing(why) || s.index == controllerPlace.index {
		// Their absence says nothing of the path. That of a transmitter's data which
		// were refused for another reason may: a firewall of the host, or the far end of
		// its link, may let pass only what is smaller, and a report shows that. The
		// controller learns it from the probe that was refused.
		to.sa.sizes.NotSent(s.index)
	}
	if reason == dropSendTooLarge {
		s.events.tooBig(to, size+esp.OuterOverhead(to.path.IPv6()))
	}
}

// flush sends the datagrams in the outbox. The error is that of the last datagram
// that the kernel has refused. It has been counted.
func (s *sender) flush() error {
	for _, q := range s.queued {
		// Before any of them can be seen to arrive.
		q.to.peer.tx.add(q.packets, q.bytes)
		if q.packets > 1 && s.outbox.Segments(q.to.path.Destination) {
			q.to.peer.classes.noteTrain()
		}
	}
	err := s.outbox.Flush()
	for _, q := range s.queued {
		q.to.sa.sizes.Flushed(s.index)
	}
	clear(s.queued)
	s.queued = s.queued[:0]
	return err
}

// room returns the place for a datagram of at most size bytes, at the end of the
// outbox. It flushes first if the outbox is full.
func (s *sender) room(size int) []byte {
	room := s.outbox.Room(size)
	if room == nil {
		_ = s.flush() // counted
		room = s.outbox.Room(size)
	}
	return room
}

// payloadRoom returns the place where a payload of at most size bytes will be
// sealed: appended to it, it need not be copied again.
func (s *sender) payloadRoom(size int) []byte {
	return s.room(esp.PacketSize(size))[esp.HeaderSize:esp.HeaderSize]
}

// reserve takes up to wanted consecutive sequence numbers for packets of data,
// fewer if the outbox is nearly full. sealNext uses them.
func (s *sender) reserve(sa *outboundSA, wanted int) (esp.Numbers, error) {
	if s.outbox.Free() == 0 {
		_ = s.flush() // counted
	}
	return s.reserveAll(sa, min(wanted, s.outbox.Free()))
}

// reserveTogether is reserve for all the payloads of one packet, of at most size
// bytes each. They leave in one flush, if the outbox can hold them: what other
// transmitters send while the machine stops this one does not come between them. The
// far end remembers only so many (inner.Reassembler).
func (s *sender) reserveTogether(sa *outboundSA, wanted, size int) (esp.Numbers, error) {
	if !s.outbox.Fits(wanted, esp.PacketSize(size)) {
		_ = s.flush() // counted
	}
	return s.reserveAll(sa, wanted)
}

// reserveAll is reserve, however full the outbox is.
func (s *sender) reserveAll(sa *outboundSA, wanted int) (esp.Numbers, error) {
	// First, so that no report request asks for them before they have left.
	sa.sizes.Queued(s.index, sa.Packets()+1)
	return sa.Reserve(wanted)
}

// seal puts one payload of data, sealed for the peer's SA, into the outbox; tos
// is that of the outer packet. The path's limits are the caller's to observe.
func (s *sender) seal(to *session, payload []byte, nextHeader, tos uint8) error {
	s.room(esp.PacketSize(len(payload)))
	numbers, err := s.reserveAll(to.sa, 1)
	if err != nil {
		return err
	}
	s.sealNext(to, &numbers, payload, nextHeader, tos)
	return nil
}

// sealNext is seal under the next of the numbers.
func (s *sender) sealNext(to *session, numbers *esp.Numbers, payload []byte, nextHeader, tos uint8) {
	room := s.room(esp.PacketSize(len(payload)))
	to.sa.sizes.Queued(s.index, numbers.Next()) // room may have flushed
	packet, seq := to.sa.SealNext(&s.scratch, numbers, room, payload, nextHeader)
	size := esp.OuterOverhead(to.path.IPv6()) + len(packet)
	if !to.path.allowance.take(size) {
		to.peer.drops.count(dropUnproved) // its number is lost with it
		return
	}
	s.outbox.Put(len(packet), to.path.Destination, tos, to)
	q := s.queue(to)
	if nextHeader != esp.NextHeaderAggFrag {
		q.packets++
		q.bytes += len(payload)
	}
	to.peer.classes.note(tos, size, to.path.plpmtu)
	if to.sa.sizes.Record(seq, size, to.path.number, true) {
		s.events.dataFlows(to.peer)
	}
}

// queue returns the count of the packets that wait for a session.
func (s *sender) queue(to *session) *queued {
	if n := len(s.queued); n > 0 && s.queued[n-1].to == to {
		return &s.queued[n-1]
	}
	s.queued = append(s.queued, queued{to: to})
	return &s.queued[len(s.queued)-1]
}

// control puts the payload of a dummy packet, which is no data, into the outbox.
// With size, in bytes of the outer IP packet, the packet is padded to exactly
// that.
func (s *sender) control(to *session, payload []byte, size int) error {
	return s.sealControl(to, payload, size, nil)
}

// probe is control for a probe, which leaves as data does: by the same socket, in the
// class of the variant and, if that says so, as the first of a train.
func (s *sender) probe(to *session, payload []byte, size int, as variant) error {
	err := s.sealControl(to, payload, size, &as)
	if err == nil && as.train {
		err = s.sealControl(to, control.AppendEmpty(nil), 0, &as)
	}
	return err
}

// hop is control for a probe that leaves as data does, in the class of the variant, and
// gets no farther than some hops, 0: as far as data. It returns its sequence number.
func (s *sender) hop(to *session, payload []byte, size int, hops uint8, as variant) (seq uint32, err error) {
	packet, seq, err := s.sealMessage(to, payload, size, 0) // no report is to judge it
	switch {
	case err != nil:
	case hops == 0:
		s.outbox.PutAsData(len(packet), to.path.Destination, as.tos, to)
	default:
		s.outbox.PutHops(len(packet), to.path.Destination, as.tos, hops, to)
	}
	return seq, err
}

// sealControl is control, or with a variant one packet of probe.
func (s *sender) sealControl(to *session, payload []byte, size int, as *variant) error {
	packet, _, err := s.sealMessage(to, payload, size, to.path.number)
	switch {
	case err != nil:
	case as == nil:
		s.outbox.Put(len(packet), to.path.Destination, 0, to)
	default:
		s.outbox.PutAsData(len(packet), to.path.Destination, as.tos, to)
	}
	return err
}

// sealMessage seals the payload of a dummy packet, which the caller then puts into the
// outbox. path is the number of the path whose discovery is to judge it, 0: none.
func (s *sender) sealMessage(to *session, payload []byte, size int, path uint16) (packet []byte, seq uint32, err error) {
	overhead := esp.OuterOverhead(to.path.IPv6())
	length := esp.PacketSize(len(payload))
	if size > 0 {
		length = size - overhead
	}
	room := s.room(length)
	s.queue(to) // so that flush tells of it
	to.sa.sizes.Queued(s.index, to.sa.Packets()+1)
	if size > 0 {
		packet, seq, err = to.sa.SealSize(&s.scratch, room, payload, esp.NextHeaderDummy, length)
	} else {
		packet, seq, err = to.sa.Seal(&s.scratch, room, payload, esp.NextHeaderDummy)
	}
	if err == nil {
		to.sa.sizes.Record(seq, overhead+len(packet), path, false)
	}
	return packet, seq, err
}

// plain sends a datagram that is not ESP: a handshake message or a keepalive.
func (s *sender) plain(datagram []byte, to *udp.Destination) error {
	room := append(s.room(len(datagram)), datagram...)
	s.outbox.Put(len(room), to, 0, nil)
	return s.flush()
}

// keepalive sends the single byte of RFC 3948 section 2.3.
func (s *sender) keepalive(to *udp.Destination) error {
	return s.plain(esp.AppendKeepalive(nil), to)
}
