package udp

import (
	"errors"
	"fmt"
	"net/netip"
)

const (
	// DefaultReceiveBuffer is room for what arrives while the receiver does not
	// get to run, in bytes.
	DefaultReceiveBuffer = 4 << 20
	// defaultSendBuffer bounds what waits in the queues of the host's own
	// interface, in bytes: large enough to keep that busy while the sender does
	// not get to run, and small enough that nothing waits for long. The kernel
	// doubles it for its own bookkeeping. Superpackets need little of that, so
	// twice as much of them fits: 44 ms at 100 Mbit/s.
	defaultSendBuffer = 256 << 10
)

// Config says what sockets to open.
type Config struct {
	// DontFragment sets DF in IPv4 packets. Without it any router may fragment
	// them (RFC 4301 section 8.1). IPv6 packets are never fragmented here.
	DontFragment bool
	// Offload lets the kernel cut and join datagrams, if it can.
	Offload bool
	// Mark is the fwmark of the packets that the sockets send (SO_MARK, socket(7)),
	// 0 for none. It takes CAP_NET_ADMIN.
	Mark uint32
	// Sockets is how many sockets each address family gets, at least 1.
	Sockets int
	// Outlets is how many more sockets each address family gets to send by, so
	// that a destination whose data fills one does not stop the others. They
	// need two Sockets at least. 0: all data leaves by one socket.
	Outlets int
	// Company counts the destinations that data can go to. Nil: there is one.
	Company *Company
	// ReceiveBuffer and SendBuffer are asked for each socket, in bytes; 0 is a
	// good default (DefaultReceiveBuffer). The kernel may grant less (net.core.rmem_max, wmem_max) to
	// a process without CAP_NET_ADMIN.
	ReceiveBuffer, SendBuffer int
}

func (c Config) withDefaults() Config {
	c.Sockets = max(c.Sockets, 1)
	if c.ReceiveBuffer == 0 {
		c.ReceiveBuffer = DefaultReceiveBuffer
	}
	if c.SendBuffer == 0 {
		c.SendBuffer = defaultSendBuffer
	}
	if c.Company == nil {
		c.Company = new(Company)
	}
	return c
}

// Offloads says what the kernel does for the sockets that carry data.
type Offloads struct {
	Segment bool // it cuts runs when they are sent (UDP_SEGMENT)
	GRO     bool // it joins datagrams to runs when they arrive (UDP_GRO)
	// ReceiveBuffer and SendBuffer are the sizes that it has granted, in bytes:
	// the smallest among the sockets.
	ReceiveBuffer, SendBuffer int
}

// An Arrival describes a run that has arrived, as the kernel tells it.
type Arrival struct {
	From netip.AddrPort
	// Local is the address that it was sent to; invalid if the kernel did not say.
	Local netip.Addr
	// Interface is the index of the interface by which it came in; 0 if the kernel
	// did not say.
	Interface int
	// TOS is the IPv4 TOS octet or the IPv6 traffic class: DSCP and ECN.
	TOS uint8
	// Segment is the size in bytes of each datagram of the run but the last,
	// 0 if it is a single one.
	Segment int
	// Fragmented says that a datagram arrived in fragments.
	Fragmented bool
}

// An ICMP message is about a datagram that was sent. Any host can have forged it.
type ICMP struct {
	Kind ICMPKind
	By   netip.Addr     // its sender: the router
	To   netip.AddrPort // where the quoted datagram was going
	MTU  int            // that a PTB tells, of an IP packet, in bytes; 0: the router did not say
	// Quote is the beginning of that datagram: at most 64 bytes, maybe none. It is valid
	// until the function that was given it returns.
	Quote []byte
}

// ICMPKind tells the messages apart that are passed on.
type ICMPKind uint8

const (
	// PTB is a Packet Too Big, or Fragmentation Needed.
	PTB ICMPKind = iota + 1
	// TimeExceeded is that of a datagram whose hops are used up.
	TimeExceeded
)

// OutboxConfig holds the settings of an Outbox and the functions that it calls.
type OutboxConfig struct {
	// Wait makes Flush wait while the socket is full, as long as data can go to one
	// destination only (Config.Company). Of several destinations, one without room
	// loses its datagrams, with ErrFull, if the Conn has outlets. Without Wait, all datagrams
	// without room are refused with ErrFull. Outboxes that wait share the outlets of
	// an address family; the others use its last socket, which has room when those
	// are full of data.
	Wait bool
	// Max bounds the datagrams in the outbox; 0 is a good default.
	Max int
	// Refused tells of datagrams that the kernel has refused, and why: they had
	// the given owner, and size bytes each except the last of a run. Required.
	Refused func(owner any, datagrams, size int, why error)
	// ICMP passes on the messages in a socket's error queue. Required.
	ICMP func(ICMP)
	// NoSegmentation tells that UDP_SEGMENT does not work behind a socket, and
	// that it is used no more. Required.
	NoSegmentation func(local netip.AddrPort, why error)
}

// Pressure is how much of its room a destination uses.
type Pressure uint8

const (
	// Roomy: there is room, or Flush will wait for it.
	Roomy Pressure = iota
	// Crowded: more than half of the room is in use.
	Crowded
	// Full: a datagram that is put now would be refused with ErrFull.
	Full
)

// Why datagrams were refused. Other errors are those of the system call.
var (
	// ErrTooBig: the datagram is larger than its link or route carries.
	ErrTooBig = errors.New("the datagram is too large for its link")
	// ErrDoubtful: the kernel has called a datagram too large, but each time an ICMP
	// message had come from elsewhere, which may have been the reason. Any host can send such.
	ErrDoubtful = errors.New("refused while ICMP messages came")
	// ErrNoSource: the host does not have the address that the datagram is to leave from.
	ErrNoSource = errors.New("the host does not have the source address")
	// ErrFull: the socket, or a queue of the host behind it, has no room.
	ErrFull = errors.New("a queue of the host is full")
	// ErrNoBuffers is an ErrFull: a queue behind the socket has no room, or an
	// interface refuses what its far end does not take.
	ErrNoBuffers = fmt.Errorf("%w, or an interface refuses the datagram", ErrFull)
	// ErrNotTried: the kernel has just refused some datagrams in a row that were no larger.
	// A smaller one may be taken.
	ErrNotTried = errors.New("the kernel has just refused datagrams of this size")
	// ErrNoSocket: no socket has the address family of the destination.
	ErrNoSocket = errors.New("no socket for the address family")
)
