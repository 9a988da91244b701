//go:build !linux

package udp

import (
	"errors"
	"net/netip"
)

// Conn, Inbox and Outbox are Linux's; elsewhere there are none.
type (
	Conn   struct{}
	Inbox  struct{}
	Outbox struct{}
	native struct{}

	ownOutlet struct{}
)

func nativeOf(netip.AddrPort, netip.Addr) native { return native{} }

// Slots and BufferSize have no meaning here.
const Slots, BufferSize = 1, 0

// Listen returns errors.ErrUnsupported.
func Listen(netip.Addr, uint16, Config) (*Conn, error) { return nil, errors.ErrUnsupported }

func (*Conn) Inboxes() []*Inbox              { return nil }
func (*Conn) Addrs() []netip.AddrPort        { return nil }
func (*Conn) Absent() bool                   { return false }
func (*Conn) Offloads() Offloads             { return Offloads{} }
func (*Conn) Close()                         {}
func (*Conn) NoOutlets() error               { return nil }
func (*Conn) NewOutbox(OutboxConfig) *Outbox { return nil }

func (*Inbox) Receive(int, bool) (int, error) { return 0, errors.ErrUnsupported }
func (*Inbox) Slot(int) ([]byte, Arrival)     { return nil, Arrival{} }
func (*Inbox) DrainErrors(func(PTB)) int      { return 0 }

func (*Outbox) Free() int                         { return 0 }
func (*Outbox) Room(int) []byte                   { return nil }
func (*Outbox) Put(int, *Destination, uint8, any) {}
func (*Outbox) Waited() bool                      { return false }
func (*Outbox) Pressure(*Destination) Pressure    { return Roomy }
func (*Outbox) Flush() error                      { return errors.ErrUnsupported }
