package crypto

import (
	"encoding/binary"
	"fmt"
)

// Offer is one end's part in a handshake: its SPI and its abilities.
type Offer struct {
	// SPI is the number under which this end will receive.
	SPI uint32
	// Suites are the acceptable ciphers, the preferred one first; at most
	// maxSuites of them count.
	Suites []uint16
	// Features is a set of bits for abilities that both ends must have.
	// Unknown bits are ignored.
	Features uint64
	// Generation orders the SA pairs of two hosts. In an initiation it is the least
	// that the pair is to have, in the response what it has; 0 is none, as in the
	// messages of older versions.
	Generation uint64
}

// Element types of the payload. The numbers are part of the wire format; a
// value's length is fixed unless it is a list.
const (
	elementEnd        = 0 // padding follows
	elementSPI        = 1 // 4 bytes
	elementTimestamp  = 2 // 8 bytes: Unix time in nanoseconds
	elementSuites     = 3 // 2 bytes each
	elementFeatures   = 4 // 8 bytes
	elementChallenge  = 5 // 24 bytes: the responder's, which comes back
	elementGeneration = 6 // 8 bytes

	lastElement = elementGeneration // that is known
)

const maxSuites = 16

// payload is the encrypted part of a handshake message.
type payload struct {
	Offer
	timestamp uint64
	// challenge is what the responder has asked to see again; zero: nothing.
	challenge [challengeSize]byte
}

// append adds the payload to dst, padded to payloadSize.
func (p *payload) append(dst []byte) []byte {
	end := len(dst) + payloadSize
	element := func(kind uint8, size int) {
		dst = append(dst, kind)
		dst = binary.BigEndian.AppendUint16(dst, uint16(size))
	}
	element(elementSPI, 4)
	dst = binary.BigEndian.AppendUint32(dst, p.SPI)
	if p.timestamp != 0 {
		element(elementTimestamp, 8)
		dst = binary.BigEndian.AppendUint64(dst, p.timestamp)
	}
	suites := p.Suites[:min(len(p.Suites), maxSuites)]
	element(elementSuites, 2*len(suites))
	for _, s := range suites {
		dst = binary.BigEndian.AppendUint16(dst, s)
	}
	element(elementFeatures, 8)
	dst = binary.BigEndian.AppendUint64(dst, p.Features)
	if p.challenge != [challengeSize]byte{} {
		element(elementChallenge, challengeSize)
		dst = append(dst, p.challenge[:]...)
	}
	if p.Generation != 0 {
		element(elementGeneration, 8)
		dst = binary.BigEndian.AppendUint64(dst, p.Generation)
	}
	return append(dst, make([]byte, end-len(dst))...)
}

// parsePayload reads a payload. It fails if a known element has the wrong
// length or comes twice, if a list is too long, or if there is no SPI or no
// suite. The SPI 0 counts as missing; the caller judges all others.
func parsePayload(b []byte) (p payload, err error) {
	seen := make(map[uint8]bool)
	for len(b) > 0 && b[0] != elementEnd {
		if len(b) < 3 {
			return payload{}, ErrMalformed
		}
		kind, size := b[0], int(binary.BigEndian.Uint16(b[1:]))
		if len(b) < 3+size {
			return payload{}, ErrMalformed
		}
		value := b[3 : 3+size]
		b = b[3+size:]
		if err := p.set(kind, value); err != nil {
			return payload{}, err
		}
		if kind <= lastElement && seen[kind] {
			return payload{}, fmt.Errorf("%w: element %d twice", ErrMalformed, kind)
		}
		seen[kind] = true
	}
	if p.SPI == 0 || len(p.Suites) == 0 {
		return payload{}, fmt.Errorf("%w: no SPI or no suite", ErrMalformed)
	}
	return p, nil
}

func (p *payload) set(kind uint8, value []byte) error {
	size := len(value)
	switch {
	case kind == elementSPI && size == 4:
		p.SPI = binary.BigEndian.Uint32(value)
	case kind == elementTimestamp && size == 8:
		p.timestamp = binary.BigEndian.Uint64(value)
	case kind == elementSuites && size%2 == 0 && size/2 <= maxSuites:
		for ; len(value) > 0; value = value[2:] {
			p.Suites = append(p.Suites, binary.BigEndian.Uint16(value))
		}
	case kind == elementFeatures && size == 8:
		p.Features = binary.BigEndian.Uint64(value)
	case kind == elementChallenge && size == challengeSize:
		p.challenge = [challengeSize]byte(value)
	case kind == elementGeneration && size == 8:
		p.Generation = binary.BigEndian.Uint64(value)
	case kind <= lastElement:
		return fmt.Errorf("%w: element %d of %d bytes", ErrMalformed, kind, size)
	}
	return nil
}

// choose returns the first suite of the initiator's preference that the
// responder accepts too.
func choose(initiator, responder []uint16) (uint16, error) {
	for _, want := range initiator {
		for _, have := range responder {
			if want == have {
				return want, nil
			}
		}
	}
	return 0, ErrNoCommonSuite
}
