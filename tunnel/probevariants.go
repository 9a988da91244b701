package tunnel

import (
	"errors"
	"time"

	"fathom/esp"
	"fathom/pmtud"
	"fathom/tunnel/control"
	"fathom/tunnel/udp"
)

// The PLPMTU is one for all data of a peer: hosts are told one MTU, and do not know of
// classes of service. So a size passes only if it passes for all data: a probe leaves
// once for each class that large data has used of late, and in a train if data leaves in
// trains, and it is acknowledged when all its packets are. One class that is rarely
// used must not stall for good, and what the others lose by a smaller PLPMTU is a few
// percent. The search costs no more packets than otherwise: see pmtud.Discovery.Copies.

// variant is one of the ways in which a probe leaves.
type variant struct {
	tos   uint8 // of the outer packet
	train bool  // a small packet follows in the same run
}

// maxVariants bounds the packets of a probe. Where more classes are in use, they take
// turns.
const maxVariants = 4

// The number of a probe's packet is in these bits of its token.
const (
	copyShift = 61
	copyMask  = uint64(maxVariants-1) << copyShift
)

// variants appends those of the next probes. Of many classes, turn says which comes first.
func (r *recentClasses) variants(dst []variant, turn int) []variant {
	data, most := r.all(), maxVariants
	if data.trains {
		most--
	}
	var all [256]uint8
	n := 0
	for tos, ok := data.classes.next(0); ok; tos, ok = data.classes.next(tos + 1) {
		all[n] = uint8(tos)
		n++
	}
	if n <= most {
		turn = 0
	}
	for i := range min(n, most) {
		dst = append(dst, variant{tos: all[(turn+i)%n]})
	}
	if data.trains {
		dst = append(dst, variant{tos: dst[0].tos, train: true})
	}
	return dst
}

// probeWay sends a probe of size bytes of outer IP packet, or with size 0 another
// control message.
type probeWay func(message []byte, size int, as variant) error

// probePackets knows which packets of the last probes are not acknowledged yet.
type probePackets struct {
	last [64]probePacket // as many as package pmtud remembers
}

type probePacket struct {
	id         uint64
	missing    uint8 // a bit each
	fragmented bool
}

func (s *probePackets) of(id uint64) *probePacket { return &s.last[uint32(id)%uint32(len(s.last))] }

// sendProbe sends the packets of a probe.
func (b *prober) sendProbe(a pmtud.Action, send probeWay, now time.Time) {
	variants := b.variants
	if len(variants) == 0 {
		variants = []variant{{}}
	}
	all := b.packets.of(a.ID)
	*all = probePacket{id: a.ID, missing: 1<<len(variants) - 1}
	for i, as := range variants {
		err := send(control.AppendToken(nil, control.Probe, b.token|uint64(i)<<copyShift|a.ID), a.Size, as)
		if err == nil {
			continue
		}
		all.missing = 0 // the other packets say nothing
		switch {
		case errors.Is(err, udp.ErrTooBig):
			b.ProbeFailed(a.ID, true, now)
		case saysNothing(err):
			b.ProbeFailed(a.ID, false, now)
		default:
			b.ProbeRefused(a.ID)
		}
		return
	}
}

// saysNothing reports whether a packet of any size might have had the error.
func saysNothing(err error) bool {
	return errors.Is(err, udp.ErrDoubtful) || errors.Is(err, errNoSA) || errors.Is(err, esp.ErrExhausted) || errors.Is(err, udp.ErrNoSocket) || errors.Is(err, errUnproved) ||
		errors.Is(err, udp.ErrFull) && !errors.Is(err, udp.ErrNoBuffers)
}

// ack takes in the ack of a probe's packet. It reports whether the probe was this
// prober's.
func (b *prober) ack(token uint64, fragmented bool, now time.Time) bool {
	if token&b.mask != b.token {
		return false
	}
	id, bit := token&^b.mask&^copyMask, uint8(1)<<(token&copyMask>>copyShift)
	if p := b.packets.of(id); p.id == id && p.missing&bit != 0 {
		p.missing &^= bit
		p.fragmented = p.fragmented || fragmented
		if p.missing == 0 {
			b.Ack(id, p.fragmented, now)
		}
	}
	return true
}
