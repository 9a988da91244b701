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
	// EchoSize is the length in bytes of the value of Echo and EchoReply.
	EchoSize = 8
	// MaxElements bounds the work that one message may cause.
	MaxElements = 32
)

var magic = [3]byte{'F', 'T', 'H'}

var (
	// ErrForeign reports a dummy packet that is not a control message of
	// ours. RFC 4303 section 2.6: such packets are discarded silently.
	ErrForeign = errors.New("control: not a control message")
	// ErrMalformed reports a message that breaks off inside an element, has
	// an element of the wrong length, or has more than MaxElements of them.
	ErrMalformed = errors.New("control: malformed message")
)

// AppendHeader starts a message in dst.
func AppendHeader(dst []byte) []byte {
	return append(dst, magic[0], magic[1], magic[2], version)
}

// AppendElement adds one element to the message in dst. The value must not be
// longer than 65535 bytes.
func AppendElement(dst []byte, t Type, value []byte) []byte {
	dst = append(dst, byte(t))
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(value)))
	return append(dst, value...)
}

// AppendEcho appends a whole Echo or EchoReply message that carries token.
func AppendEcho(dst []byte, t Type, token uint64) []byte {
	var value [EchoSize]byte
	binary.BigEndian.PutUint64(value[:], token)
	return AppendElement(AppendHeader(dst), t, value[:])
}

// AppendClose appends a whole Close message.
func AppendClose(dst []byte) []byte {
	return AppendElement(AppendHeader(dst), Close, nil)
}

// Token is the value of an Echo or EchoReply.
func (e Element) Token() uint64 { return binary.BigEndian.Uint64(e.Value) }

// Parse appends the known elements of a message to dst, in their order.
// Elements of unknown type are left out. On an error nothing of the message
// is to be used.
func Parse(dst []Element, payload []byte) ([]Element, error) {
	if len(payload) < headerSize || [3]byte(payload) != magic || payload[3] != version {
		return dst, ErrForeign
	}
	rest := payload[headerSize:]
	for n := 0; len(rest) > 0 && Type(rest[0]) != End; n++ {
		if len(rest) < elementHeaderSize || n == MaxElements {
			return dst, ErrMalformed
		}
		t, length := Type(rest[0]), int(binary.BigEndian.Uint16(rest[1:]))
		rest = rest[elementHeaderSize:]
		if len(rest) < length {
			return dst, ErrMalformed
		}
		value := rest[:length:length]
		rest = rest[length:]
		switch t {
		case Echo, EchoReply:
			if length != EchoSize {
				return dst, ErrMalformed
			}
		case Close:
			if length != 0 {
				return dst, ErrMalformed
			}
		default:
			continue
		}
		dst = append(dst, Element{t, value})
	}
	return dst, nil
}
