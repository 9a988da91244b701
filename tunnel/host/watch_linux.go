package host

import (
	"fmt"
	"time"

	"github.com/vishvananda/netlink"
)

// rewatchAfter is how long a lost watch is left alone. What the host's routes
// did meanwhile is looked at when it is back.
const rewatchAfter = time.Second

// Watch leaves a token in changed when an interface or a route of the
// host may have changed; more than one is not needed. It ends with the
// returned function.
//
// The kernel ends a watch whose events it cannot deliver (ENOBUFS, where routes
// come and go by the thousand); it is then begun again.
func Watch(changed chan<- struct{}) (stop func(), err error) {
	done := make(chan struct{})
	tell := func() {
		select {
		case changed <- struct{}{}:
		default:
		}
	}
	subscriptions := []func() (events <-chan struct{}, err error){
		func() (<-chan struct{}, error) {
			links := make(chan netlink.LinkUpdate)
			if err := netlink.LinkSubscribe(links, done); err != nil {
				return nil, fmt.Errorf("watch interfaces: %w", err)
			}
			return tokens(links), nil
		},
		func() (<-chan struct{}, error) {
			routes := make(chan netlink.RouteUpdate)
			if err := netlink.RouteSubscribe(routes, done); err != nil {
				return nil, fmt.Errorf("watch routes: %w", err)
			}
			return tokens(routes), nil
		},
	}
	for _, subscribe := range subscriptions {
		events, err := subscribe()
		if err != nil {
			close(done)
			return nil, err
		}
		go follow(events, subscribe, tell, done)
	}
	return func() { close(done) }, nil
}

// follow tells of events until done is closed, and subscribes again when they
// end before that.
func follow(events <-chan struct{}, subscribe func() (<-chan struct{}, error), tell func(), done <-chan struct{}) {
	for {
		for range events {
			tell()
		}
		select {
		case <-done:
			return
		case <-time.After(rewatchAfter):
		}
		if next, err := subscribe(); err == nil {
			events = next
			tell()
		}
	}
}

// tokens reduces events to the fact that they happen. The channel is closed
// with theirs.
func tokens[T any](events <-chan T) <-chan struct{} {
	c := make(chan struct{})
	go func() {
		defer close(c)
		for range events {
			c <- struct{}{}
		}
	}()
	return c
}
