package esp

import (
	"crypto/cipher"
	"encoding/binary"
)

// Inbound is the receiving half of an SA. It is not safe for concurrent use:
// its callers serialise their batches.
type Inbound struct {
	spi    uint32
	aead   cipher.AEAD
	salt   [saltSize]byte
	window Window
}

// NewInbound makes the SA that receives under spi, the number that this end
// has chosen. It copies keymat, which is KeyMaterialSize bytes.
func NewInbound(spi uint32, s Suite, keymat []byte) (*Inbound, error) {
	if err := checkSPI(spi); err != nil {
		return nil, err
	}
	aead, salt, err := newAEAD(s, keymat)
	if err != nil {
		return nil, err
	}
	return &Inbound{spi: spi, aead: aead, salt: salt}, nil
}

// Window returns the anti-replay window, under the same rule of concurrency.
func (in *Inbound) Window() *Window { return &in.window }

// Open verifies and decrypts one ESP packet and appends its payload, without
// padding and trailer, to dst. With dst = packet[HeaderSize:HeaderSize] it
// works in place. The order is that of RFC 4303 section 3.4: Open checks the
// window first, and moves it only once the ICV is verified. After ErrAuth the
// bytes that dst's room shares with packet are undefined; no plaintext is among them.
func (in *Inbound) Open(s *Scratch, dst, packet []byte) (payload []byte, nextHeader uint8, seq uint32, err error) {
	if len(packet) < minPacket {
		return dst, 0, 0, ErrShort
	}
	if binary.BigEndian.Uint32(packet) != in.spi {
		return dst, 0, 0, ErrUnknownSPI
	}
	seq = binary.BigEndian.Uint32(packet[4:])
	if err := in.window.Check(seq); err != nil {
		return dst, 0, seq, err
	}
	copy(s.nonce[:], in.salt[:])
	copy(s.nonce[saltSize:], packet[aadSize:HeaderSize])
	opened, err := in.aead.Open(dst, s.nonce[:], packet[HeaderSize:], packet[:aadSize])
	if err != nil {
		return dst, 0, seq, ErrAuth
	}
	in.window.Accept(seq)
	plain, ok := trim(opened[len(dst):])
	if !ok {
		return dst, 0, seq, ErrPadding
	}
	return opened[:len(dst)+plain], opened[len(opened)-1], seq, nil
}

// trim returns the length of the payload before the padding. The padding must
// count 1, 2, 3… (RFC 4303 section 2.4).
func trim(plain []byte) (length int, ok bool) {
	if len(plain)%alignment != 0 {
		return 0, false
	}
	end := len(plain) - trailerSize
	padding := int(plain[end])
	if padding > end {
		return 0, false
	}
	for i, b := range plain[end-padding : end] {
		if b != byte(i+1) {
			return 0, false
		}
	}
	return end - padding, true
}
