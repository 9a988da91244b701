package inner

import "errors"

// Reasons why a packet is left as it is.
var (
	// ErrMalformed: lengths or headers contradict each other.
	ErrMalformed = errors.New("inner: malformed packet")
	// ErrCannotCut: cutting the packet would change what it says, or what
	// authenticates it, or hide that it is damaged.
	ErrCannotCut = errors.New("inner: packet must not be cut")
	// ErrDontFragment: the sender forbids it (DF, or IPv6).
	ErrDontFragment = errors.New("inner: packet must not be fragmented")
	// ErrTooSmall: the size leaves no room for payload.
	ErrTooSmall = errors.New("inner: no payload fits the size")
	// ErrNoPTB: RFC 792, 1122, 1812 or 4443 forbids to answer this packet
	// with an ICMP error.
	ErrNoPTB = errors.New("inner: packet must not be answered with an ICMP error")
)
