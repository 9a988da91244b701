//go:build !linux

package udp

import (
	"errors"
	"net/netip"
)

// Conn exists on Linux only.
type Conn struct{}

// Inbox exists on Linux only.
type Inbox struct{}

// Outbox exists on Linux only.
type Outbox struct{}

type native struct{}

type ownOutlet struct{}

func nativeOf(netip.AddrPort, netip.Addr, int) native { return native{} }

// Slots and BufferSize have no meaning here.
const Slots, BufferSize = 1, 0

// Listen returns errors.ErrUnsupported.
func Listen(netip.Addr, uint16, Config) (*Conn, error) { return nil, errors.ErrUnsupported }

// Inboxes returns none.
func (*Conn) Inboxes() []*Inbox { return nil }

// Addrs returns none.
func (*Conn) Addrs() []netip.AddrPort { return nil }

// Absent returns false.
func (*Conn) Absent() bool { return false }

// Offloads returns none.
func (*Conn) Offloads() Offloads { return Offloads{} }

// Another returns errors.ErrUnsupported.
func (*Conn) Another() (*Conn, error) { return nil, errors.ErrUnsupported }

// Exchange does nothing.
func (*Conn) Exchange(*Conn) {}

// Full returns false.
func (*Conn) Full() bool { return false }

// Close does nothing.
func (*Conn) Close() {}

// NoOutlets returns nil.
func (*Conn) NoOutlets() error { return nil }

// NewOutbox returns nil.
func (*Conn) NewOutbox(OutboxConfig) *Outbox { return nil }

// Receive returns errors.ErrUnsupported.
func (*Inbox) Receive(int, bool) (int, error) { return 0, errors.ErrUnsupported }

// Slot returns nothing.
func (*Inbox) Slot(int) ([]byte, Arrival) { return nil, Arrival{} }

// DrainErrors finds none.
func (*Inbox) DrainErrors(func(ICMP)) int { return 0 }

// Free returns 0.
func (*Outbox) Free() int { return 0 }

// Fits returns false.
func (*Outbox) Fits(int, int) bool { return false }

// Room returns nil.
func (*Outbox) Room(int) []byte { return nil }

// Put does nothing.
func (*Outbox) Put(int, *Destination, uint8, any) {}

// PutAsData does nothing.
func (*Outbox) PutAsData(int, *Destination, uint8, any) {}

// PutHops does nothing.
func (*Outbox) PutHops(int, *Destination, uint8, uint8, any) {}

// Segments returns false.
func (*Outbox) Segments(*Destination) bool { return false }

// Waited returns false.
func (*Outbox) Waited() bool { return false }

// Pressure returns Roomy.
func (*Outbox) Pressure(*Destination) Pressure { return Roomy }

// Flush returns errors.ErrUnsupported.
func (*Outbox) Flush() error { return errors.ErrUnsupported }
