//go:build linux

package crowd

import (
	"context"
	"errors"
	"net"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"fathom/test/netlab"
)

// Churn adds perSecond routes a second on the host of a hub, and deletes each after
// a while, as a routing daemon may, until ctx is done. No peer is behind them.
func Churn(ctx context.Context, host *netlab.Host, perSecond int) error {
	const kept = 50 // routes at a time
	var handle *netlink.Handle
	err := host.Do(func() (err error) {
		handle, err = netlink.NewHandle(unix.NETLINK_ROUTE)
		return err
	})
	if err != nil {
		return err
	}
	defer handle.Close()
	route := func(n int) *netlink.Route {
		return &netlink.Route{
			Dst: &net.IPNet{IP: net.IPv4(198, 18, byte(n), 0), Mask: net.CIDRMask(24, 32)},
			Gw:  Gateway.AsSlice(),
		}
	}
	ticks := time.NewTicker(time.Second / time.Duration(perSecond))
	defer ticks.Stop()
	for n := 0; ; n++ {
		select {
		case <-ctx.Done():
			for i := max(0, n-kept); i < n; i++ {
				err = errors.Join(err, handle.RouteDel(route(i)))
			}
			return err
		case <-ticks.C:
		}
		if err := handle.RouteAdd(route(n)); err != nil {
			return err
		}
		if n >= kept {
			if err := handle.RouteDel(route(n - kept)); err != nil {
				return err
			}
		}
	}
}
