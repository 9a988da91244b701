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
	socket *udpSocket
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
	// message passes on the payload of an authentic dummy packet.
	message(sa *inboundSA, payload []byte) bool
	// firstUse tells that the first authentic packet came on an SA.
	firstUse(sa *inboundSA)
	// moved tells that an authentic packet came from a new place.
	moved(p *peer, from netip.AddrPort, local netip.Addr)
}

// run ends when the socket is closed.
func (r *receiver) run() {
	buffer := make([]byte, deviceHeadroom+maxDatagram)
	for {
		n, from, local, err := r.socket.read(buffer[deviceHeadroom:])
		if errors.Is(err, net.ErrClosed) {
			return
		} else if err != nil {
			continue // a pending ICMP error; the next datagram is unharmed
		}
		r.datagram(buffer[:deviceHeadroom+n], from, local)
	}
}

// datagram takes one datagram, which begins deviceHeadroom bytes into b.
func (r *receiver) datagram(b []byte, from netip.AddrPort, local netip.Addr) {
	payload := b[deviceHeadroom:]
	switch esp.Classify(payload) {
	case esp.KindESP:
		r.esp(b, from, local)
	case esp.KindHandshake:
		if !r.events.handshake(payload[esp.MarkerSize:], from, local) {
			r.drops.count(dropBusy)
		}
	case esp.KindKeepalive:
		// RFC 3948 section 2.3: the receiver ignores it.
	default:
		r.drops.count(dropNotESP)
	}
}

func (r *receiver) esp(b []byte, from netip.AddrPort, local netip.Addr) {
	packet := b[deviceHeadroom:]
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
	if to := p.path.Load(); newest && (to == nil || !to.is(from, local)) {
		r.events.moved(p, from, local)
	}
	if !sa.used.Load() && sa.used.CompareAndSwap(false, true) {
		r.events.firstUse(sa)
	}
	r.payload(b, len(plain), sa, nextHeader)
}

// payload delivers what was inside an authentic packet: the n bytes behind
// the ESP header in b.
func (r *receiver) payload(b []byte, n int, sa *inboundSA, nextHeader uint8) {
	const offset = deviceHeadroom + esp.HeaderSize
	p, plain := sa.peer, b[offset:offset+n]
	switch nextHeader {
	case esp.NextHeaderDummy:
		if !r.events.message(sa, plain) {
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
