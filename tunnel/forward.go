package tunnel

import (
	"errors"
	"time"

	"fathom/conf"
	"fathom/esp"
	"fathom/tunnel/host"
	"fathom/tunnel/inner"
	"fathom/tunnel/tun"
)

// forwarder sends inner packets to peers, and does what is needed to make them
// fit: it is the one place that applies the policy for packets above the inner
// MTU.
//
//	                      carry                    signal            drop
//	superpacket           cut                      cut               cut, if the segments fit
//	TCP, IPv6 or with DF  cut                      as the rest       dropped
//	IPv4 without DF       fragmented               fragmented        dropped
//	the rest              tunnel fragments, PTB    dropped, PTB      dropped
//
// Each goroutine that sends has its own.
type forwarder struct {
	sender *sender
	policy forwardPolicy
	host   tun.Writer // where PTBs go

	cutter     inner.Cutter
	fragmenter inner.Fragmenter
	splitter   inner.Splitter
	ptbs       inner.PTBLimit
	ptb        []byte
	piece      []byte // a datagram of a superpacket that is itself too large
	lossy      bool   // the next packet, or a piece of it, is to be dropped
	parts      [1][]byte
}

// forwardPolicy is what the configuration says.
type forwardPolicy struct {
	oversize string // conf.OversizeCarry, -Signal or -Drop
	clampMSS bool
	class    inner.ServiceClass
}

func policyOf(c conf.Tunnel) forwardPolicy {
	return forwardPolicy{
		oversize: c.Oversize,
		clampMSS: c.MSSClamp,
		class:    inner.ServiceClass{HideDSCP: c.DSCP == conf.DSCPClear, HideECN: c.ECN == conf.ECNCompatibility},
	}
}

func newForwarder(s *sender, policy forwardPolicy, host tun.Writer) *forwarder {
	return &forwarder{sender: s, policy: policy, host: host, ptb: make([]byte, 0, inner.MaxPTBSize)}
}

// forward puts an inner packet, or a superpacket, to a peer that has an SA and
// a path into the outbox. It may change the packet's bytes.
func (f *forwarder) forward(p *peer, sa *outboundSA, to *path, packet *inner.Packet, o inner.Offload) {
	if f.policy.clampMSS && inner.ClampMSS(packet, to.hostMTU, o.NeedsChecksum) {
		p.surgery.mssClamped.Add(1)
	}
	var err error
	switch {
	case f.lossy && o.Kind == inner.GSONone:
		err = errStanding
	case o.Kind == inner.GSOUDP:
		err = f.datagrams(p, sa, to, packet, o)
	case o.Kind != inner.GSONone:
		err = f.segments(p, sa, to, packet, o)
	default:
		if err = o.Complete(packet.Bytes); err == nil {
			err = f.single(p, sa, to, packet)
		}
	}
	f.lossy = false
	if err != nil {
		p.drops.count(forwardDropReason(err))
	}
}

// single sends one complete packet.
func (f *forwarder) single(p *peer, sa *outboundSA, to *path, packet *inner.Packet) error {
	if len(packet.Bytes) > to.innerMTU {
		return f.tooLarge(p, sa, to, packet)
	}
	return f.sender.seal(p, sa, to, packet.Bytes, packet.NextHeader(), f.policy.class.Encapsulate(packet.TOS))
}

// segments cuts a TCP superpacket.
func (f *forwarder) segments(p *peer, sa *outboundSA, to *path, packet *inner.Packet, o inner.Offload) error {
	segment, mtu := int(o.SegmentSize), to.innerMTU
	if f.policy.oversize != conf.OversizeCarry || !packet.V6 && !packet.DontFragment {
		// Each segment is as large as its sender wants it, and has chosen an
		// identification for, where there is one (RFC 6864).
		mtu = maxDatagram
	}
	if err := f.cutter.TCP(packet, segment, mtu); err != nil {
		return err
	}
	if f.cutter.Largest() > to.innerMTU {
		return f.eachPiece(p, sa, to, packet.NextHeader())
	}
	return f.pieces(p, sa, to, packet)
}

// datagrams cuts a UDP superpacket.
func (f *forwarder) datagrams(p *peer, sa *outboundSA, to *path, packet *inner.Packet, o inner.Offload) error {
	err := f.cutter.UDP(packet, int(o.SegmentSize), to.innerMTU)
	if errors.Is(err, inner.ErrTooSmall) {
		if err = f.cutter.UDP(packet, int(o.SegmentSize), maxDatagram); err == nil {
			return f.eachPiece(p, sa, to, packet.NextHeader())
		}
	}
	if err != nil {
		return err
	}
	return f.pieces(p, sa, to, packet)
}

// pieces writes what the cutter has straight into the outbox, where it is
// sealed in place.
func (f *forwarder) pieces(p *peer, sa *outboundSA, to *path, packet *inner.Packet) error {
	tos, nextHeader := f.policy.class.Encapsulate(packet.TOS), packet.NextHeader()
	f.lose(p)
	for n := f.cutter.Pieces(); n > 0; n = f.cutter.Pieces() {
		numbers, err := f.sender.reserve(sa, n)
		if err != nil {
			return err
		}
		for numbers.Left() > 0 {
			piece, _ := f.cutter.Next(f.sender.room(to.innerMTU)[esp.HeaderSize:esp.HeaderSize])
			f.sender.sealNext(p, sa, to, &numbers, piece, nextHeader, tos)
		}
	}
	return nil
}

// lose drops the first piece of what the cutter has, if one is to be dropped.
func (f *forwarder) lose(p *peer) {
	if f.lossy {
		f.lossy = false
		f.cutter.Skip()
		p.drops.count(dropStanding)
	}
}

// eachPiece treats what the cutter has as packets of their own, any of which
// may be too large.
func (f *forwarder) eachPiece(p *peer, sa *outboundSA, to *path, nextHeader uint8) error {
	f.lose(p)
	cutter := f.cutter // tooLarge uses the other
	for {
		piece, ok := cutter.Next(f.piece[:0])
		f.piece = piece[:0]
		if !ok {
			return nil
		}
		packet, ok := inner.Parse(piece)
		if !ok {
			return inner.ErrMalformed
		}
		if err := f.single(p, sa, to, &packet); err != nil {
			p.drops.count(forwardDropReason(err))
		}
	}
}

// errStanding: the packet is lost on purpose.
var errStanding = errors.New("the queue stands")

// errTooLarge: the policy does not let the packet pass.
var errTooLarge = errors.New("inner packet is larger than the inner MTU")

// tooLarge sends, or answers, a complete packet above the inner MTU.
func (f *forwarder) tooLarge(p *peer, sa *outboundSA, to *path, packet *inner.Packet) error {
	if f.policy.oversize == conf.OversizeDrop {
		return errTooLarge
	}
	// An IPv6 link carries 1280 bytes, whatever the path does (RFC 8200
	// section 5), and no PTB may say otherwise.
	mtu := to.hostMTU
	if packet.V6 {
		mtu = max(mtu, host.MinIPv6LinkMTU)
	}
	// Nobody is told to send less than mtu, so that much is carried.
	carry := f.policy.oversize == conf.OversizeCarry || len(packet.Bytes) <= mtu
	// More pieces without DF would need identifications that their sender may
	// use for its next packets.
	if carry && (packet.V6 || packet.DontFragment) && f.cutter.TCP(packet, 0, to.innerMTU) == nil {
		p.surgery.tcpCut.Add(1)
		return f.pieces(p, sa, to, packet)
	}
	if f.fragmenter.Fragment(packet, to.innerMTU) == nil {
		p.surgery.fragmented.Add(1)
		return f.fragments(p, sa, to, packet)
	}
	if len(packet.Bytes) > mtu {
		f.tell(p, packet, mtu)
		if !carry {
			return errTooLarge
		}
	}
	if err := f.splitter.Split(packet, to.innerMTU); err != nil {
		return errTooLarge
	}
	p.surgery.split.Add(1)
	return f.tunnelFragments(p, sa, to, packet)
}

func (f *forwarder) fragments(p *peer, sa *outboundSA, to *path, packet *inner.Packet) error {
	tos := f.policy.class.Encapsulate(packet.TOS)
	for {
		fragment, ok := f.fragmenter.Next(f.sender.room(to.innerMTU)[esp.HeaderSize:esp.HeaderSize])
		if !ok {
			return nil
		}
		if err := f.sender.seal(p, sa, to, fragment, esp.NextHeaderIPv4, tos); err != nil {
			return err
		}
	}
}

// tunnelFragments sends what the splitter has, under consecutive sequence
// numbers (RFC 9347 section 2.2.3).
func (f *forwarder) tunnelFragments(p *peer, sa *outboundSA, to *path, packet *inner.Packet) error {
	tos := f.policy.class.Encapsulate(packet.TOS)
	numbers, err := f.sender.reserveAll(sa, f.splitter.Payloads())
	if err != nil {
		return err
	}
	for numbers.Left() > 0 {
		payload, _ := f.splitter.Next(f.sender.room(to.innerMTU)[esp.HeaderSize:esp.HeaderSize])
		f.sender.sealNext(p, sa, to, &numbers, payload, esp.NextHeaderAggFrag, tos)
	}
	p.tx.add(1, len(packet.Bytes))
	return nil
}

// tell answers a packet with a PTB, unless that is not allowed or there have
// been enough.
func (f *forwarder) tell(p *peer, packet *inner.Packet, mtu int) {
	ptb, err := inner.AppendPTB(f.ptb[:0], packet, mtu)
	if err != nil || !f.ptbs.Allow(packet.Source, time.Now()) {
		return
	}
	f.parts[0] = ptb
	if err := f.host.Write(f.parts[:], inner.Offload{}); err == nil {
		p.surgery.ptbs.Add(1)
	}
}

// releaseWaiting sends what waits for the peer's SA, if it has one by now.
func (f *forwarder) releaseWaiting(p *peer, now time.Time) {
	sa, to := p.outbound.Load(), p.path.Load()
	if sa == nil || to == nil {
		return
	}
	for _, w := range p.waiting.take(now) {
		if packet, ok := inner.Parse(w.packet); ok {
			f.forward(p, sa, to, &packet, w.offload)
		}
	}
	_ = f.sender.outbox.flush() // counted
}

// forwardDropReason names the reason behind an error of forward.
func forwardDropReason(err error) dropReason {
	switch {
	case errors.Is(err, errStanding):
		return dropStanding
	case errors.Is(err, errTooLarge), errors.Is(err, inner.ErrTooSmall):
		return dropTooLarge
	case errors.Is(err, inner.ErrCannotCut):
		return dropUncuttable
	case errors.Is(err, inner.ErrMalformed):
		return dropNotIP
	}
	return dropReasonOf(err)
}
