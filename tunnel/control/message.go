package control

import (
	"encoding/binary"
	"errors"
)

// Type says what an element is. The numbers are part of the wire format.
type Type uint8

const (
	// End closes the list of elements; padding may follow.
	End Type = 0
	// Echo asks the receiver for an EchoReply with the same value. It serves
	// to confirm a new SA, to see that the peer is alive, and to measure the
	// round-trip time.
	Echo Type = 1
	// EchoReply answers an Echo.
	EchoReply Type = 2
	// Close says that the sender discards all its SAs with the receiver now.
	Close Type = 3
	// Probe asks for a ProbeAck with the same token. The packet around it has
	// the size that is probed (RFC 8899 section 4.1).
	Probe Type = 4
	// ProbeAck says that a Probe has arrived, and how.
	ProbeAck Type = 5
	// ReportRequest asks for a Report about the SA it came on, with the same
	// token.
	ReportRequest Type = 6
	// Report says which packets of an SA have arrived.
	Report Type = 7
	// PathChallenge asks for a PathResponse with the same token, by the pair of
	// addresses that it came by. See package paths.
	PathChallenge Type = 10
	// PathResponse answers a PathChallenge.
	PathResponse Type = 11
	// HopsRequest asks for HopsReports about the path to its sender, with the same
	// token. See package hops.
	HopsRequest Type = 12
	// HopsReport answers a HopsRequest: with a HopsResult, or a part of one.
	HopsReport Type = 13
	// FactsRequest asks for FactsReports, with the same token: how the receiver is set up
	// for its sender.
	FactsRequest Type = 14
	// FactsReport answers a FactsRequest: with Facts, or a part of them.
	FactsReport Type = 15
)

// Element is one type-length-value of a message.
type Element struct {
	Type Type
	// Value aliases the buffer that was parsed.
	Value []byte
}

const (
	version    = 1
	headerSize = 4
	// elementHeaderSize is the type and the length of one element.
	elementHeaderSize = 3
	// tokenSize is the length in bytes of a token, which connects an answer with
	// its request.
	tokenSize = 8
	// ackSize: token, flags.
	ackSize = tokenSize + 1
	// reportHeaderSize: token, SPI, highest sequence number. Words follow.
	reportHeaderSize = tokenSize + 4 + 4
	wordSize         = 8
	// responseSize: token, generation.
	responseSize = tokenSize + 4
	// challengeSize: token, generation, flags.
	challengeSize = responseSize + 1
	// MaxReportWords is how many words the bitmap of a Report may have.
	MaxReportWords = 32
	// maxElements bounds the work that one message may cause.
	maxElements = 32
)

var magic = [3]byte{'F', 'T', 'H'}

var (
	// ErrForeign reports a dummy packet that is not a control message of
	// ours. RFC 4303 section 2.6: such packets are discarded silently.
	ErrForeign = errors.New("control: not a control message")
	// ErrMalformed reports a message that breaks off inside an element, has
	// an element of the wrong length, or has too many of them.
	ErrMalformed = errors.New("control: malformed message")
)

// appendHeader starts a message in dst.
func appendHeader(dst []byte) []byte {
	return append(dst, magic[0], magic[1], magic[2], version)
}

// appendElement adds one element to the message in dst. The value must not be
// longer than 65535 bytes.
func appendElement(dst []byte, t Type, value []byte) []byte {
	dst = append(dst, byte(t))
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(value)))
	return append(dst, value...)
}

// AppendToken appends a whole message of one element that is just a token:
// Echo, EchoReply, Probe, ReportRequest, HopsRequest or FactsRequest.
func AppendToken(dst []byte, t Type, token uint64) []byte {
	var value [tokenSize]byte
	binary.BigEndian.PutUint64(value[:], token)
	return appendElement(appendHeader(dst), t, value[:])
}

// AppendProbeAck appends a whole ProbeAck message. fragmented says that the
// probe arrived in fragments, which its DF bit forbids.
func AppendProbeAck(dst []byte, token uint64, fragmented bool) []byte {
	var value [ackSize]byte
	binary.BigEndian.PutUint64(value[:], token)
	if fragmented {
		value[tokenSize] = flagFragmented
	}
	return appendElement(appendHeader(dst), ProbeAck, value[:])
}

const flagFragmented = 1

// AppendReport appends a whole Report message about the SA that the sender of
// the Report receives on under spi: the highest sequence number received and,
// in bit i of bits[k], whether the number highest-64k-i was. At most
// MaxReportWords words are sent.
func AppendReport(dst []byte, token uint64, spi, highest uint32, bits []uint64) []byte {
	bits = bits[:min(len(bits), MaxReportWords)]
	value := make([]byte, 0, reportHeaderSize+MaxReportWords*wordSize)
	value = binary.BigEndian.AppendUint64(value, token)
	value = binary.BigEndian.AppendUint32(value, spi)
	value = binary.BigEndian.AppendUint32(value, highest)
	for _, word := range bits {
		value = binary.BigEndian.AppendUint64(value, word)
	}
	return appendElement(appendHeader(dst), Report, value)
}

// AppendEmpty appends a message without elements, to which nothing is answered.
func AppendEmpty(dst []byte) []byte { return appendHeader(dst) }

// AppendClose appends a whole Close message.
func AppendClose(dst []byte) []byte {
	return appendElement(appendHeader(dst), Close, nil)
}

// The flags of a PathChallenge.
const (
	flagUse     = 1
	flagStalled = 2
)

// AppendPathChallenge appends a whole PathChallenge message, with the generation of
// the sender's decision. use says that both ends are to send by this pair, stalled
// that what the receiver sends may not arrive.
func AppendPathChallenge(dst []byte, token uint64, generation uint32, use, stalled bool) []byte {
	var value [challengeSize]byte
	binary.BigEndian.PutUint64(value[:], token)
	binary.BigEndian.PutUint32(value[tokenSize:], generation)
	if use {
		value[responseSize] |= flagUse
	}
	if stalled {
		value[responseSize] |= flagStalled
	}
	return appendElement(appendHeader(dst), PathChallenge, value[:])
}

// AppendPathResponse appends a whole PathResponse message, with the generation of the
// decision that the sender knows.
func AppendPathResponse(dst []byte, token uint64, generation uint32) []byte {
	var value [responseSize]byte
	binary.BigEndian.PutUint64(value[:], token)
	binary.BigEndian.PutUint32(value[tokenSize:], generation)
	return appendElement(appendHeader(dst), PathResponse, value[:])
}

// Generation returns that of a PathChallenge or a PathResponse.
func (e Element) Generation() uint32 { return binary.BigEndian.Uint32(e.Value[tokenSize:]) }

// Use and Stalled return the flags of a PathChallenge.
func (e Element) Use() bool     { return e.Value[responseSize]&flagUse != 0 }
func (e Element) Stalled() bool { return e.Value[responseSize]&flagStalled != 0 }

// Token returns the token of any element but Close.
func (e Element) Token() uint64 { return binary.BigEndian.Uint64(e.Value) }

// Fragmented reports whether a ProbeAck's Probe arrived in fragments.
func (e Element) Fragmented() bool { return e.Value[tokenSize]&flagFragmented != 0 }

// Report returns the content of a Report, with the bitmap appended to bits; see
// AppendReport.
func (e Element) Report(bits []uint64) (spi, highest uint32, _ []uint64) {
	spi = binary.BigEndian.Uint32(e.Value[tokenSize:])
	highest = binary.BigEndian.Uint32(e.Value[tokenSize+4:])
	for words := e.Value[reportHeaderSize:]; len(words) > 0; words = words[wordSize:] {
		bits = append(bits, binary.BigEndian.Uint64(words))
	}
	return spi, highest, bits
}

// wellFormed reports whether a known element has a length that it can have.
func wellFormed(t Type, length int) bool {
	switch t {
	case Echo, EchoReply, Probe, ReportRequest, HopsRequest, FactsRequest:
		return length == tokenSize
	case ProbeAck:
		return length == ackSize
	case Report:
		words := length - reportHeaderSize
		return words >= 0 && words%wordSize == 0 && words <= MaxReportWords*wordSize
	case PathChallenge:
		return length == challengeSize
	case PathResponse:
		return length == responseSize
	case HopsReport:
		return length >= hopsHeaderSize && length <= hopsHeaderSize+HopsAPart*(hopHeaderSize+16)
	case FactsReport:
		return length >= factsHeaderSize && length <= factsHeaderSize+PrefixesAPart*maxPrefixSize
	default: // Close
		return length == 0
	}
}

// known reports whether this version knows a type. The numbers between are not ours.
func known(t Type) bool { return t <= Report || t >= PathChallenge && t <= FactsReport }

// Trim returns a message without the padding behind it, as far as the elements are
// whole. It verifies nothing: Parse says of the result what it says of the payload.
func Trim(payload []byte) []byte {
	end := headerSize
	for len(payload)-end >= elementHeaderSize && Type(payload[end]) != End {
		end += elementHeaderSize + int(binary.BigEndian.Uint16(payload[end+1:]))
		if end > len(payload) {
			return payload
		}
	}
	if end < len(payload) && Type(payload[end]) == End {
		return payload[:end]
	}
	return payload
}

// Parse appends the known elements of a message to dst, in their order.
// Elements of unknown type are left out. After an error the caller must use
// nothing of the message.
func Parse(dst []Element, payload []byte) ([]Element, error) {
	if len(payload) < headerSize || [3]byte(payload) != magic || payload[3] != version {
		return dst, ErrForeign
	}
	rest := payload[headerSize:]
	for n := 0; len(rest) > 0 && Type(rest[0]) != End; n++ {
		if len(rest) < elementHeaderSize || n == maxElements {
			return dst, ErrMalformed
		}
		t, length := Type(rest[0]), int(binary.BigEndian.Uint16(rest[1:]))
		rest = rest[elementHeaderSize:]
		if len(rest) < length {
			return dst, ErrMalformed
		}
		value := rest[:length:length]
		rest = rest[length:]
		if !known(t) {
			continue
		}
		if !wellFormed(t, length) {
			return dst, ErrMalformed
		}
		dst = append(dst, Element{t, value})
	}
	return dst, nil
}
