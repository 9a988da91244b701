package web

import (
	"fmt"
	"net"
	"net/netip"

	"fathom/tunnel/status"
)

// Listen opens the listener at an address, or else at the path of a Unix socket, for its
// owner and its group. With neither it returns nil: nothing is served.
func Listen(addr netip.AddrPort, socket string) (net.Listener, error) {
	switch {
	case addr.IsValid():
		l, err := net.Listen("tcp", addr.String())
		if err != nil {
			return nil, fmt.Errorf("metrics: %w", err)
		}
		return l, nil
	case socket != "":
		l, err := status.ListenUnix("metrics", socket)
		if err != nil {
			return nil, err // a typed nil is no listener
		}
		return l, nil
	}
	return nil, nil
}
