package esp

import (
	"crypto/cipher"
	"encoding/binary"
	"slices"
	"sync/atomic"
)

// maxSequence is the last number that an SA sends under. Some room below the
// end of the number space lets concurrent callers run into the limit without
// wrapping the counter.
const maxSequence = 1<<32 - 1<<16

// Outbound is the sending half of an SA. It is safe for concurrent use; each
// concurrent caller brings its own Scratch.
type Outbound struct {
	spi   uint32
	suite Suite
	aead  cipher.AEAD
	salt  [saltSize]byte
	// next counts the packets sealed; it has 64 bits so that it cannot wrap.
	next atomic.Uint64
}

// NewOutbound makes the SA that sends under spi, the number that the receiver
// has chosen. It copies keymat, which is KeyMaterialSize bytes.
func NewOutbound(spi uint32, s Suite, keymat []byte) (*Outbound, error) {
	if err := checkSPI(spi); err != nil {
		return nil, err
	}
	aead, salt, err := newAEAD(s, keymat)
	if err != nil {
		return nil, err
	}
	return &Outbound{spi: spi, suite: s, aead: aead, salt: salt}, nil
}

// SPI returns the number that the receiver knows the SA by.
func (o *Outbound) SPI() uint32 { return o.spi }

// Suite returns the AEAD in use.
func (o *Outbound) Suite() Suite { return o.suite }

// Packets returns how many packets have been numbered so far, at most the
// largest number that the SA may use.
func (o *Outbound) Packets() uint32 { return uint32(min(o.next.Load(), maxSequence)) }

// Seal appends to dst one ESP packet with the given payload, padded as little
// as possible, under the next sequence number; the first is 1 (RFC 4303 section
// 2.2). It copies the payload once and allocates nothing if dst has
// PacketSize(len(payload)) bytes of room. A payload that is already at its
// place, HeaderSize bytes behind the end of dst, is not copied at all. The error
// is ErrExhausted; dst is then unchanged.
func (o *Outbound) Seal(s *Scratch, dst, payload []byte, nextHeader uint8) (packet []byte, seq uint32, err error) {
	n, err := o.Reserve(1)
	if err != nil {
		return dst, 0, err
	}
	packet, seq = o.seal(s, dst, payload, nextHeader, 0, &n)
	return packet, seq, nil
}

// SealSize is Seal with an ESP packet of exactly size bytes: zero bytes fill
// it up behind the payload, which must know its own end (RFC 4303 sections 2.6
// and 2.7). The error is ErrSize if size is too small for the payload or not
// one that PacketSize can return.
func (o *Outbound) SealSize(s *Scratch, dst, payload []byte, nextHeader uint8, size int) (packet []byte, seq uint32, err error) {
	fill := size - HeaderSize - trailerSize - ICVSize - len(payload)
	if fill < 0 || size%alignment != 0 {
		return dst, 0, ErrSize
	}
	n, err := o.Reserve(1)
	if err != nil {
		return dst, 0, err
	}
	packet, seq = o.seal(s, dst, payload, nextHeader, fill, &n)
	return packet, seq, nil
}

// SealNext is Seal under the next of the numbers, which must have been reserved
// from this SA. It panics when no number is left: a number that seals twice would
// give the key away (RFC 4106 section 2).
func (o *Outbound) SealNext(s *Scratch, n *Numbers, dst, payload []byte, nextHeader uint8) (packet []byte, seq uint32) {
	return o.seal(s, dst, payload, nextHeader, 0, n)
}

// appendPayload appends the payload, unless it is already at its place behind
// the header.
func appendPayload(dst, payload []byte) []byte {
	n := len(dst)
	if end := n + len(payload); len(payload) > 0 && end <= cap(dst) && &dst[:end][n] == &payload[0] {
		return dst[:end]
	}
	return append(dst, payload...)
}

func (o *Outbound) seal(s *Scratch, dst, payload []byte, nextHeader uint8, fill int, n *Numbers) ([]byte, uint32) {
	seq := n.take(o)
	start := len(dst)
	dst = binary.BigEndian.AppendUint32(dst, o.spi)
	dst = binary.BigEndian.AppendUint32(dst, seq)
	dst = binary.BigEndian.AppendUint64(dst, uint64(seq))
	dst = appendPayload(dst, payload)
	if n := len(dst); fill > 0 {
		dst = slices.Grow(dst, fill)[:n+fill]
		clear(dst[n:])
	}
	padding := paddingOf(len(payload) + fill)
	for i := range padding {
		dst = append(dst, byte(i+1))
	}
	dst = append(dst, byte(padding), nextHeader)

	packet := dst[start:]
	copy(s.nonce[:], o.salt[:])
	copy(s.nonce[saltSize:], packet[aadSize:HeaderSize])
	sealed := o.aead.Seal(packet[:HeaderSize], s.nonce[:], packet[HeaderSize:], packet[:aadSize])
	return append(dst[:start], sealed...), seq
}
