package esp

import "errors"

// Reasons to drop a packet or not to make one. Those of Inbound.Open leave the
// SA and its window as they were.
var (
	ErrShort      = errors.New("esp: packet is too short")
	ErrUnknownSPI = errors.New("esp: packet is for another SPI")
	ErrReplay     = errors.New("esp: sequence number has been seen")
	ErrTooOld     = errors.New("esp: sequence number is behind the window")
	ErrAuth       = errors.New("esp: ICV is wrong")
	// ErrPadding: authentic, but the trailer is not as RFC 4303 section 2.4
	// prescribes. The sequence number counts as received.
	ErrPadding = errors.New("esp: padding is malformed")
	// ErrExhausted: the SA has sent as many packets as it may.
	ErrExhausted = errors.New("esp: sequence numbers are exhausted")
	// ErrSize: no packet of the requested size can hold the payload.
	ErrSize = errors.New("esp: impossible packet size")
)
