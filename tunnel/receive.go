package tunnel

import (
	"errors"
	"net"
	"net/netip"

	"golang.zx2c4.com/wireguard/tun"

	"fathom/esp"
)

// receiver carries packets from one socket to the TUN device:
//
//	socket ─▶ SA by SPI ─▶ open in place ─▶ source check ─▶ device.Write
//	      └▶ handshake and control messages ─▶ control goroutine
//
// One goroutine a socket runs it.
type receiver struct {
	inbox  *inbox
	device tun.Device
	routes *routes
	spis   *spiTable
	drops  *drops
	events eventSink

	scratch esp.Scratch
	write   [1][]byte
}

// eventSink is how a receiver tells the control goroutine what it cannot do
// itself. None of the calls blocks; those that return false were dropped. The
// messages alias the receiver's buffer: the sink copies what it keeps.
type eventSink interface {
	// handshake passes on a datagram behind the non-ESP marker.
	handshake(message []byte, from netip.AddrPort, local netip.Addr) bool
	// message passes on the payload of an authentic dummy packet, and whether
	// that arrived in fragments.
	message(sa *inboundSA, payload []byte, fragmented bool) bool
	// firstUse tells that the first authentic packet came on an SA.
	firstUse(sa *inboundSA)
	// moved tells that an authentic packet came from a new place.
	moved(p *peer, from netip.AddrPort, local netip.Addr)
	// ptb passes on an ICMP message from the socket's error queue.
	ptb(m ptbMessage)
}

// run ends when the socket is closed.
func (r *receiver) run() {
	for {
		n, err := r.inbox.receive(0, true)
		if errors.Is(err, net.ErrClosed) {
			return
		} else if err != nil {
			// An ICMP error; the datagrams in the socket are unharmed.
			r.inbox.socket.errors.drain(r.inbox.socket, r.events.ptb)
			continue
		}
		for i := range n {
			payload, a := r.inbox.slot(i)
			r.train(payload, &a)
		}
	}
}

// train takes what the kernel has read at once: one datagram, or several of
// one size, but for the last.
func (r *receiver) train(payload []byte, a *arrival) {
	for a.segment > 0 && len(payload) > a.segment {
		r.datagram(payload[:a.segment], a)
		payload = payload[a.segment:]
	}
	r.datagram(payload, a)
}

// datagram takes one datagram, whose bytes it may change.
func (r *receiver) datagram(b []byte, a *arrival) {
	switch esp.Classify(b) {
	case esp.KindESP:
		r.esp(b, a)
	case esp.KindHandshake:
		if !r.events.handshake(b[esp.MarkerSize:], a.from, a.local) {
			r.drops.count(dropBusy)
		}
	case esp.KindKeepalive:
		// RFC 3948 section 2.3: the receiver ignores it.
	default:
		r.drops.count(dropNotESP)
	}
}

func (r *receiver) esp(packet []byte, a *arrival) {
	spi, err := esp.SPIOf(packet)
	if err != nil {
		r.drops.count(dropNotESP)
		return
	}
	sa := r.spis.get(spi)
	if sa == nil {
		r.drops.count(dropUnknownSPI)
		return
	}

	sa.mu.Lock()
	plain, nextHeader, seq, err := sa.in.Open(&r.scratch, packet[esp.HeaderSize:esp.HeaderSize], packet)
	newest := err == nil && seq == sa.in.Window().Highest()
	sa.mu.Unlock()

	p := sa.peer
	if err != nil {
		p.drops.count(openDropReason(err))
		return
	}
	p.authentic.Add(1)
	// Only the newest packet tells where the peer is: one that was overtaken
	// may have been sent from where it was before.
	if to := p.path.Load(); newest && (to == nil || !to.is(a.from, a.local)) {
		r.events.moved(p, a.from, a.local)
	}
	if !sa.used.Load() && sa.used.CompareAndSwap(false, true) {
		r.events.firstUse(sa)
	}
	r.payload(packet, len(plain), sa, nextHeader, a)
}

// payload delivers what was inside an authentic packet: the n bytes behind
// the ESP header in b.
func (r *receiver) payload(b []byte, n int, sa *inboundSA, nextHeader uint8, a *arrival) {
	const offset = esp.HeaderSize // room enough for the device's own header
	p, plain := sa.peer, b[offset:offset+n]
	switch nextHeader {
	case esp.NextHeaderDummy:
		if !r.events.message(sa, plain, a.fragmented) {
			p.drops.count(dropBusy)
		}
		return
	case esp.NextHeaderIPv4, esp.NextHeaderIPv6:
	default:
		p.drops.count(dropNextHeader)
		return
	}
	inner, ok := parseInner(plain)
	if !ok || inner.nextHeader != nextHeader {
		p.drops.count(dropNotIP)
		return
	}
	if r.routes.lookup(inner.source) != p {
		p.drops.count(dropSource)
		return
	}
	r.write[0] = b[:offset+len(inner.bytes)]
	if _, err := r.device.Write(r.write[:], offset); err != nil {
		p.drops.count(dropDevice)
		return
	}
	p.rx.add(len(inner.bytes))
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
