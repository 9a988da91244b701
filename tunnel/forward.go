package tunnel

import (
	"errors"
	"time"

	"fathom/conf"
	"fathom/esp"
	"fathom/tunnel/inner"
	"fathom/tunnel/tun"
)

// forwarder sends inner packets to peers, and makes them fit: it is the one place
// that applies the policy for packets above the inner MTU.
//
//	                      carry                    signal            drop
//	superpacket           cut                      cut               cut, if the segments fit
//	TCP, IPv6 or with DF  cut                      as the rest       dropped
//	IPv4 without DF       fragmented               fragmented        dropped
//	UDP up to 1500 bytes  tunnel fragments         dropped, PTB      dropped
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
	parts      [1][]byte
}

// forwardPolicy holds the configuration's part in forwarding.
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

// forward puts an inner packet, or a superpacket, into the outbox. With lossy the
// packet, or one piece of it, is dropped. The session is ready; the packet's
// bytes may change.
func (f *forwarder) forward(to *session, packet *inner.Packet, o inner.Offload, lossy bool) {
	if f.policy.clampMSS && inner.ClampMSS(packet, to.path.hostMTU, o.NeedsChecksum) {
		to.peer.surgery.mssClamped.Add(1)
	}
	var err error
	switch {
	case lossy && o.Kind == inner.GSONone:
		err = errStanding
	case o.Kind == inner.GSOUDP:
		err = f.datagrams(to, packet, o, lossy)
	case o.Kind != inner.GSONone:
		err = f.segments(to, packet, o, lossy)
	default:
		if err = o.Complete(packet.Bytes); err == nil {
			err = f.single(to, packet)
		}
	}
	if err != nil {
		to.peer.drops.count(forwardDropReason(err))
	}
}

// single sends one complete packet.
func (f *forwarder) single(to *session, packet *inner.Packet) error {
	if len(packet.Bytes) > to.path.innerMTU {
		return f.tooLarge(to, packet)
	}
	return f.sender.seal(to, packet.Bytes, packet.NextHeader(), f.policy.class.Encapsulate(packet.TOS))
}

// segments cuts a TCP superpacket.
func (f *forwarder) segments(to *session, packet *inner.Packet, o inner.Offload, lossy bool) error {
	segment, mtu := int(o.SegmentSize), to.path.innerMTU
	if f.policy.oversize != conf.OversizeCarry || !packet.V6 && !packet.DontFragment {
		// Each segment keeps the size that its sender wants and, in IPv4, has
		// chosen an identification for (RFC 6864).
		mtu = noLimit
	}
	if err := f.cutter.TCP(packet, segment, mtu); err != nil {
		return err
	}
	if n := f.cutter.Oversize(segment); n > 0 {
		to.peer.surgery.tcpCut.Add(uint64(n))
	}
	if lossy {
		f.lose(to)
	}
	if f.cutter.Largest() > to.path.innerMTU {
		return f.eachPiece(to, packet.NextHeader())
	}
	return f.pieces(to, packet)
}

// datagrams cuts a UDP superpacket.
func (f *forwarder) datagrams(to *session, packet *inner.Packet, o inner.Offload, lossy bool) error {
	err := f.cutter.UDP(packet, int(o.SegmentSize), to.path.innerMTU)
	whole := errors.Is(err, inner.ErrTooSmall) // no datagram fits: each is treated on its own
	if whole {
		err = f.cutter.UDP(packet, int(o.SegmentSize), noLimit)
	}
	if err != nil {
		return err
	}
	if lossy {
		f.lose(to)
	}
	if whole {
		return f.eachPiece(to, packet.NextHeader())
	}
	return f.pieces(to, packet)
}

// pieces writes the cutter's pieces straight into the outbox, where they are
// sealed in place.
func (f *forwarder) pieces(to *session, packet *inner.Packet) error {
	tos, nextHeader := f.policy.class.Encapsulate(packet.TOS), packet.NextHeader()
	for n := f.cutter.Pieces(); n > 0; n = f.cutter.Pieces() {
		numbers, err := f.sender.reserve(to.sa, n)
		if err != nil {
			return err
		}
		for numbers.Left() > 0 {
			piece, _ := f.cutter.Next(f.sender.payloadRoom(to.path.innerMTU))
			f.sender.sealNext(to, &numbers, piece, nextHeader, tos)
		}
	}
	return nil
}

// packets counts the packets in one from the device: several in a superpacket.
func (f *forwarder) packets(packet *inner.Packet, o inner.Offload) int {
	var err error
	switch o.Kind {
	case inner.GSONone:
		return 1
	case inner.GSOUDP:
		err = f.cutter.UDP(packet, int(o.SegmentSize), noLimit)
	default:
		err = f.cutter.TCP(packet, int(o.SegmentSize), noLimit)
	}
	if err != nil {
		return 1
	}
	return f.cutter.Pieces()
}

// lose drops the cutter's first piece.
func (f *forwarder) lose(to *session) {
	f.cutter.Skip()
	to.peer.drops.count(dropStanding)
}

// eachPiece treats the cutter's pieces as packets of their own, any of which may
// be too large.
func (f *forwarder) eachPiece(to *session, nextHeader uint8) error {
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
		if err := f.single(to, &packet); err != nil {
			to.peer.drops.count(forwardDropReason(err))
		}
	}
}

// noLimit is an inner MTU that every IP packet fits, in bytes.
const noLimit = 65535

// errStanding: the packet is lost on purpose.
var errStanding = errors.New("the queue stands")

// errTooLarge: the policy does not let the packet pass.
var errTooLarge = errors.New("inner packet is larger than the inner MTU")

// tooLarge sends, or answers, a complete packet above the inner MTU.
func (f *forwarder) tooLarge(to *session, packet *inner.Packet) error {
	if f.policy.oversize == conf.OversizeDrop {
		return errTooLarge
	}
	mtu := to.path.linkMTU(packet.V6)
	// No sender is told to send less than mtu, so that much is carried.
	carry := f.policy.oversize == conf.OversizeCarry || len(packet.Bytes) <= mtu
	// More pieces without DF would need identifications that their sender may
	// use for its next packets.
	if carry && (packet.V6 || packet.DontFragment) && f.cutter.TCP(packet, 0, to.path.innerMTU) == nil {
		to.peer.surgery.tcpCut.Add(1)
		return f.pieces(to, packet)
	}
	if f.fragmenter.Fragment(packet, to.path.innerMTU) == nil {
		to.peer.surgery.fragmented.Add(1)
		return f.fragments(to, packet)
	}
	if told := f.toldMTU(packet, mtu); len(packet.Bytes) > told {
		f.tell(to, packet, told)
	}
	if !carry {
		return errTooLarge
	}
	if err := f.splitter.Split(packet, to.path.innerMTU); err != nil {
		return errTooLarge
	}
	to.peer.surgery.split.Add(1)
	return f.tunnelFragments(to, packet)
}

// toldMTU returns the MTU that the sender of a packet is told, in bytes, where
// mtu fits.
//
// A PTB beside a packet that is carried must not do harm. TCP and tunnels of
// other kinds send smaller packets from then on. UDP leaves it to programs: to
// one that asks for DF the host refuses larger datagrams (EMSGSIZE), for minutes.
// QUIC looks for the largest datagram by itself (RFC 8899). It would be told
// that the size does not pass, and then that it has arrived; some believe the
// latter, and lose whatever they send from then on. So datagrams of the size of
// an Ethernet are carried without a word. Larger ones may be more than the far
// network takes, so their senders are told of that size.
func (f *forwarder) toldMTU(packet *inner.Packet, mtu int) int {
	if f.policy.oversize == conf.OversizeCarry && packet.IsUDP() {
		return max(mtu, ethernetMTU)
	}
	return mtu
}

func (f *forwarder) fragments(to *session, packet *inner.Packet) error {
	tos := f.policy.class.Encapsulate(packet.TOS)
	for {
		fragment, ok := f.fragmenter.Next(f.sender.payloadRoom(to.path.innerMTU))
		if !ok {
			return nil
		}
		if err := f.sender.seal(to, fragment, esp.NextHeaderIPv4, tos); err != nil {
			return err
		}
	}
}

// tunnelFragments sends the splitter's payloads, under consecutive sequence numbers
// (RFC 9347 section 2.2.3).
func (f *forwarder) tunnelFragments(to *session, packet *inner.Packet) error {
	tos := f.policy.class.Encapsulate(packet.TOS)
	numbers, err := f.sender.reserveTogether(to.sa, f.splitter.Payloads(), to.path.innerMTU)
	if err != nil {
		return err
	}
	for numbers.Left() > 0 {
		payload, _ := f.splitter.Next(f.sender.payloadRoom(to.path.innerMTU))
		f.sender.sealNext(to, &numbers, payload, esp.NextHeaderAggFrag, tos)
	}
	to.peer.tx.add(1, len(packet.Bytes))
	return nil
}

// tell answers a packet with a PTB, unless the packet must not be answered or the
// limit of PTBs is reached.
func (f *forwarder) tell(to *session, packet *inner.Packet, mtu int) {
	ptb, err := inner.AppendPTB(f.ptb[:0], packet, mtu)
	if err != nil || !f.ptbs.Allow(packet.Source, time.Now()) {
		return
	}
	f.parts[0] = ptb
	if err := f.host.Write(f.parts[:], inner.Offload{}); err == nil {
		to.peer.surgery.ptbs.Add(1)
	}
}

// releaseWaiting sends the packets that waited for the peer's SA, if there is one.
func (f *forwarder) releaseWaiting(p *peer, now time.Time) {
	to := p.session.Load()
	if !to.ready() {
		return
	}
	waited := p.waiting.take(now)
	if len(waited) == 0 {
		return
	}
	for _, w := range waited {
		if packet, ok := inner.Parse(w.packet); ok {
			f.forward(to, &packet, w.offload, false)
		}
	}
	_ = f.sender.flush() // counted
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
