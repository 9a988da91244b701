//go:build linux

package netlab

import (
	"context"
	"fmt"
	"net"
	"net/netip"
)

// Dial connects from inside the host to an address and port (no host name).
// The connection may be used from anywhere.
func (h *Host) Dial(network, address string) (net.Conn, error) {
	return h.DialContext(context.Background(), network, address)
}

// DialContext is like Dial and gives up when ctx is done.
func (h *Host) DialContext(ctx context.Context, network, address string) (conn net.Conn, err error) {
	// A name could have several addresses, for which net.Dialer starts
	// goroutines: their sockets would be born outside.
	if _, err := netip.ParseAddrPort(address); err != nil {
		return nil, fmt.Errorf("dial %s: %w", address, ErrNotLiteral)
	}
	err = h.Do(func() error {
		var d net.Dialer
		conn, err = d.DialContext(ctx, network, address)
		return err
	})
	return conn, err
}

// Listen listens inside the host, on an address and port or on ":port".
func (h *Host) Listen(network, address string) (listener net.Listener, err error) {
	err = h.Do(func() error {
		listener, err = net.Listen(network, address)
		return err
	})
	return listener, err
}

// ListenPacket opens a datagram socket inside the host.
func (h *Host) ListenPacket(network, address string) (conn net.PacketConn, err error) {
	err = h.Do(func() error {
		conn, err = net.ListenPacket(network, address)
		return err
	})
	return conn, err
}
