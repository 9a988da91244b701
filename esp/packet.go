package esp

import (
	"encoding/binary"
	"fmt"
)

// Next headers in use (IANA "Assigned Internet Protocol Numbers").
const (
	NextHeaderIPv4    uint8 = 4
	NextHeaderIPv6    uint8 = 41
	NextHeaderDummy   uint8 = 59  // RFC 4303 section 2.6
	NextHeaderAggFrag uint8 = 144 // RFC 9347
)

// Sizes of the parts of a packet in bytes.
const (
	// HeaderSize is SPI, sequence number and IV: where the ciphertext begins.
	HeaderSize = 16
	// ICVSize is the size of the integrity check value at the end.
	ICVSize = 16

	aadSize     = 8 // SPI and sequence number (RFC 4106 section 5)
	ivSize      = 8
	nonceSize   = saltSize + ivSize
	trailerSize = 2 // pad length and next header
	// alignment of payload, padding and trailer together (RFC 4303 section 2.4).
	alignment = 4
	minPacket = HeaderSize + alignment + ICVSize
)

// MinSPI is the smallest SPI that an SA may have: 0 is for local use and
// 1 to 255 are reserved (RFC 4303 section 2.1).
const MinSPI = 256

// Scratch is the working memory of sealing and opening, so that they do not
// allocate. Each goroutine has its own; the zero value is ready.
type Scratch struct {
	nonce [nonceSize]byte
}

// SPIOf returns the SPI of an ESP packet of which nothing is verified yet.
func SPIOf(packet []byte) (uint32, error) {
	if len(packet) < minPacket {
		return 0, ErrShort
	}
	return binary.BigEndian.Uint32(packet), nil
}

// ParseQuote returns the SPI and the sequence number of the ESP packet whose
// beginning an ICMP error quotes. It is not ok if less than both is quoted.
// Anybody can send a quote.
func ParseQuote(quote []byte) (spi, seq uint32, ok bool) {
	if len(quote) < aadSize {
		return 0, 0, false
	}
	return binary.BigEndian.Uint32(quote), binary.BigEndian.Uint32(quote[4:]), true
}

func checkSPI(spi uint32) error {
	if spi < MinSPI {
		return fmt.Errorf("esp: SPI %d is reserved", spi)
	}
	return nil
}
