package tunnel

import (
	"errors"
	"net"
	"net/netip"
	"time"

	"fathom/esp"
	"fathom/tunnel/inner"
	"fathom/tunnel/tun"
	"fathom/tunnel/udp"
)

// receiver carries packets from one socket to the TUN device:
//
//	inbox ─▶ SA by SPI ─▶ opened in place ─▶ source check ─▶ coalescer ─▶ device
//	      └▶ handshake and control messages ─▶ control goroutine
//
// It reads until the socket is empty, then hands on the packets in the coalescer.
// It never waits for the socket while packets are in there. One goroutine a
// socket runs it.
type receiver struct {
	inbox     *udp.Inbox
	writer    tun.Writer
	coalescer *inner.Coalescer // nil if the device takes no superpackets
	clampMSS  bool
	routes    *routes
	spis      *spiTable
	drops     *drops
	events    eventSink
	heart     heartbeat

	scratch esp.Scratch
	parts   [1][]byte
	// The answer to the last look-up: most packets have the source of the one
	// before.
	source netip.Addr
	owner  *peer

	// The SA of the last packet, locked, and the packets that came on it since.
	held      *inboundSA
	authentic uint64
	received  struct{ packets, bytes int }
}

func newReceiver(in *udp.Inbox, d *tun.Device, clampMSS bool, routes *routes, c *controller) *receiver {
	r := &receiver{inbox: in, writer: d.NewWriter(), clampMSS: clampMSS, routes: routes, spis: c.spis, drops: c.drops, events: c.events}
	if features := d.Features(); features.TCP {
		r.coalescer = &inner.Coalescer{Write: r.write, UDP: features.UDP}
	}
	return r
}

// eventSink is how a receiver tells the control goroutine what it cannot do
// itself. None of the calls blocks; those that return false were dropped. The
// messages alias the receiver's buffer: the sink copies what it keeps.
type eventSink interface {
	// handshake passes on a datagram behind the non-ESP marker.
	handshake(message []byte, by origin) bool
	// message passes on the payload of an authentic dummy packet, whether that
	// arrived in fragments, and how it came.
	message(sa *inboundSA, payload []byte, fragmented bool, by origin) bool
	// firstUse tells that the first authentic packet came on an SA.
	firstUse(sa *inboundSA)
	// elsewhere tells that the newest authentic packet, one of data, came otherwise
	// than by the path, or by one where the peer has not proved to be.
	elsewhere(p *peer, by origin)
	// icmp passes on a message from the socket's error queue, whose quote it does not
	// keep.
	icmp(m udp.ICMP)
}

// run ends when the socket is closed.
func (r *receiver) run() {
	receive(r.batch, func() int { return r.inbox.DrainErrors(r.events.icmp) })
}

// maxReceivePause bounds how long a socket that returns errors is left alone.
const maxReceivePause = 100 * time.Millisecond

// receive calls batch until the socket is closed. An error is usually an ICMP
// message, which drain takes from the error queue; the datagrams in the socket
// are unharmed. After an error without a message receive waits, ever longer, and
// tries again until it clears.
func receive(batch func() (datagrams int, err error), drain func() (messages int)) {
	var pause time.Duration
	for {
		datagrams, err := batch()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err == nil || datagrams > 0 {
			pause = 0
		}
		if err == nil || drain() > 0 {
			continue
		}
		time.Sleep(pause)
		pause = min(max(2*pause, time.Millisecond), maxReceivePause)
	}
}

// batch waits for a datagram, and takes all that are there behind it, as far as
// there is room.
func (r *receiver) batch() (datagrams int, err error) {
	defer r.flush()
	defer r.release()
	used := 0
	for used < udp.Slots {
		if used == 0 {
			r.heart.waits()
		}
		n, err := r.inbox.Receive(used, used == 0)
		r.heart.works()
		if err != nil || n == 0 {
			return used, err
		}
		for i := used; i < used+n; i++ {
			payload, a := r.inbox.Slot(i)
			r.datagrams(payload, &a)
		}
		used += n
	}
	return used, nil
}

// hold returns the SA that receives under spi, nil if no SA does. The SA stays
// locked until another is held, or release is called.
func (r *receiver) hold(spi uint32) *inboundSA {
	if r.held != nil && r.held.spi == spi {
		return r.held
	}
	r.release()
	sa := r.spis.get(spi)
	if sa != nil {
		sa.mu.Lock()
		r.held = sa
	}
	return sa
}

// release unlocks the held SA, and counts the packets that came on it.
func (r *receiver) release() {
	if r.held == nil {
		return
	}
	p := r.held.peer
	p.authentic.Add(r.authentic)
	p.rx.add(r.received.packets, r.received.bytes)
	r.authentic, r.received.packets, r.received.bytes = 0, 0, 0
	r.held.mu.Unlock()
	r.held = nil
}

// flush hands on the packets that wait to be joined. After it the inbox may be
// used again.
func (r *receiver) flush() {
	if r.coalescer != nil {
		r.coalescer.Flush()
	}
}

// write hands a packet to the host.
func (r *receiver) write(parts [][]byte, o inner.Offload) {
	if err := r.writer.Write(parts, o); err != nil {
		r.drops.count(dropDevice)
	}
}

// datagrams takes the datagrams of a run.
func (r *receiver) datagrams(payload []byte, a *udp.Arrival) {
	for a.Segment > 0 && len(payload) > a.Segment {
		r.datagram(payload[:a.Segment], a)
		payload = payload[a.Segment:]
	}
	r.datagram(payload, a)
}

// datagram takes one datagram, whose bytes it may change.
func (r *receiver) datagram(b []byte, a *udp.Arrival) {
	switch esp.Classify(b) {
	case esp.KindESP:
		r.esp(b, a)
	case esp.KindHandshake:
		if !r.events.handshake(b[esp.MarkerSize:], origin{from: a.From, local: a.Local, index: a.Interface}) {
			r.drops.count(dropBusy)
		}
	case esp.KindKeepalive:
		// RFC 3948 section 2.3: the receiver ignores it.
	default:
		r.drops.count(dropNotESP)
	}
}

func (r *receiver) esp(packet []byte, a *udp.Arrival) {
	spi, err := esp.SPIOf(packet)
	if err != nil {
		r.drops.count(dropNotESP)
		return
	}
	sa := r.hold(spi)
	if sa == nil {
		r.drops.count(dropUnknownSPI)
		return
	}
	plain, nextHeader, seq, err := sa.in.Open(&r.scratch, packet[esp.HeaderSize:esp.HeaderSize], packet)
	newest := err == nil && seq == sa.in.Window().Highest()
	p := sa.peer
	if err != nil {
		p.drops.count(openDropReason(err))
		return
	}
	r.authentic++
	// Only the newest packet tells where the peer is: one that was overtaken
	// may have been sent from where it was before.
	by := origin{from: a.From, local: a.Local, index: a.Interface, bytes: esp.OuterOverhead(a.From.Addr().Is6()) + len(packet), newest: newest}
	if to := p.session.Load(); newest && nextHeader != esp.NextHeaderDummy && (to == nil || to.path.allowance != nil || !to.path.Matches(a.From, a.Local)) {
		r.events.elsewhere(p, by)
	}
	if !sa.used.Load() && sa.used.CompareAndSwap(false, true) {
		r.events.firstUse(sa)
	}
	switch nextHeader {
	case esp.NextHeaderIPv4, esp.NextHeaderIPv6:
		r.deliver(sa, plain, nextHeader, a.TOS)
	case esp.NextHeaderAggFrag:
		r.reassemble(sa, seq, plain, a)
	case esp.NextHeaderDummy:
		if !r.events.message(sa, plain, a.Fragmented, by) {
			p.drops.count(dropBusy)
		}
	default:
		p.drops.count(dropNextHeader)
	}
}

// deliver hands an inner packet to the host, if it may come from this peer.
// nextHeader is the next header of the packet around it, 0 if that does not tell;
// outerTOS is its TOS octet or traffic class. The bytes must stay until flush.
func (r *receiver) deliver(sa *inboundSA, plain []byte, nextHeader, outerTOS uint8) {
	p := sa.peer
	packet, ok := inner.Parse(plain)
	if !ok || nextHeader != 0 && packet.NextHeader() != nextHeader {
		p.drops.count(dropNotIP)
		return
	}
	if packet.Source != r.source {
		r.source, r.owner = packet.Source, r.routes.lookup(packet.Source)
	}
	if r.owner != p {
		p.drops.count(dropSource)
		return
	}
	tos, ok := inner.Decapsulate(packet.TOS, outerTOS)
	if !ok {
		p.drops.count(dropCongestion)
		return
	}
	inner.SetTOS(&packet, tos)
	if to := p.session.Load(); r.clampMSS && to != nil && inner.ClampMSS(&packet, to.path.hostMTU, false) {
		p.surgery.mssClamped.Add(1)
	}
	r.received.packets++
	r.received.bytes += len(packet.Bytes)
	if r.coalescer != nil {
		r.coalescer.Add(&packet)
		return
	}
	r.parts[0] = packet.Bytes
	r.write(r.parts[:], inner.Offload{})
}

// reassemble takes in a payload of tunnel fragments that came on the SA held.
func (r *receiver) reassemble(sa *inboundSA, seq uint32, payload []byte, a *udp.Arrival) {
	err := sa.fragments.Add(seq, a.TOS, payload, time.Now(), func(packet []byte, tos uint8) {
		sa.peer.surgery.reassembled.Add(1)
		r.deliver(sa, packet, 0, tos)
		r.flush() // the bytes are the reassembler's
	})
	if err != nil {
		sa.peer.drops.count(dropMalformed)
	}
}

// openDropReason names the reason behind an error of esp.Inbound.Open.
func openDropReason(err error) dropReason {
	switch {
	case errors.Is(err, esp.ErrReplay), errors.Is(err, esp.ErrTooOld):
		return dropReplay
	case errors.Is(err, esp.ErrAuth):
		return dropAuth
	default:
		return dropMalformed
	}
}
