package crypto

import (
	"encoding/binary"
	"fmt"
)

// Type is the type of a handshake message.
type Type uint8

const (
	// Initiation is the first message of a handshake.
	Initiation Type = 1
	// Response is the second.
	Response Type = 2
	// CookieReply asks the sender of an Initiation to prove its address.
	CookieReply Type = 3
	// FreshnessChallenge asks the sender of an Initiation to prove that it is
	// fresh.
	FreshnessChallenge Type = 4
)

func (t Type) String() string {
	switch t {
	case Initiation:
		return "initiation"
	case Response:
		return "response"
	case CookieReply:
		return "cookie reply"
	case FreshnessChallenge:
		return "challenge"
	}
	return fmt.Sprintf("type %d", uint8(t))
}

// Sizes in bytes, see the pictures in the package documentation.
const (
	version    = 1
	headerSize = 8
	macSize    = 16
	macsSize   = 2 * macSize

	dhSize      = 32
	tagSize     = 16
	nonceSize   = 24 // XChaCha20-Poly1305
	cookieSize  = 16
	payloadSize = 128 // both messages': their length tells nothing
	// A challenge: when it was made, and a MAC.
	challengeSize = 8 + macSize

	initiationSize  = headerSize + dhSize + dhSize + tagSize + payloadSize + tagSize + macsSize
	responseSize    = headerSize + dhSize + payloadSize + tagSize + macsSize
	cookieReplySize = headerSize + nonceSize + cookieSize + tagSize
	// Why, the challenge itself, and the time that the timestamp was compared with.
	freshnessChallengeSize = headerSize + nonceSize + 1 + challengeSize + 8 + tagSize + macsSize
)

// MessageType returns the type of a message that has our version and the length
// of its type. It verifies nothing else. The error is ErrVersion if the message is of a
// known type and says that it has another version, else ErrMalformed.
func MessageType(message []byte) (Type, error) {
	if len(message) < headerSize {
		return 0, ErrMalformed
	}
	t := Type(message[0])
	switch size := sizeOf(t); {
	case size == 0:
		return 0, ErrMalformed
	case message[1] != version:
		return 0, ErrVersion
	case len(message) != size:
		return 0, ErrMalformed
	}
	return t, nil
}

// sizeOf returns the length of the messages of a type, 0 if there are none.
func sizeOf(t Type) int {
	switch t {
	case Initiation:
		return initiationSize
	case Response:
		return responseSize
	case CookieReply:
		return cookieReplySize
	case FreshnessChallenge:
		return freshnessChallengeSize
	}
	return 0
}

// ReceiverID returns the id of the Initiator that an answer to an initiation is
// for. Like MessageType it verifies nothing else.
func ReceiverID(message []byte) (uint32, error) {
	if t, err := MessageType(message); err != nil || t == Initiation {
		return 0, ErrMalformed
	}
	return idOf(message), nil
}

func idOf(message []byte) uint32 { return binary.BigEndian.Uint32(message[4:]) }

func appendHeader(dst []byte, t Type, id uint32) []byte {
	dst = append(dst, byte(t), version, 0, 0)
	return binary.BigEndian.AppendUint32(dst, id)
}
