package tunnel

import (
	"fmt"

	"github.com/vishvananda/netlink"
)

// watchEgress leaves a token in changed when an interface or a route of the
// host may have changed; more than one is not needed. It ends with the
// returned function.
func watchEgress(changed chan<- struct{}) (stop func(), err error) {
	done := make(chan struct{})
	links := make(chan netlink.LinkUpdate)
	routes := make(chan netlink.RouteUpdate)
	if err := netlink.LinkSubscribe(links, done); err != nil {
		return nil, fmt.Errorf("watch interfaces: %w", err)
	}
	if err := netlink.RouteSubscribe(routes, done); err != nil {
		close(done)
		return nil, fmt.Errorf("watch routes: %w", err)
	}
	tell := func() {
		select {
		case changed <- struct{}{}:
		default:
		}
	}
	go func() {
		for range links {
			tell()
		}
	}()
	go func() {
		for range routes {
			tell()
		}
	}()
	return func() { close(done) }, nil
}
