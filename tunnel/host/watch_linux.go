package host

import (
	"errors"
	"fmt"
	"time"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// retryAfter is the rest after an unexpected error, so that one that stays does
// not keep a CPU busy.
const retryAfter = time.Second

// Watcher watches the host's interfaces, routes and rules.
type Watcher struct {
	socket *nl.NetlinkSocket
	done   chan struct{} // closed by Close
	ended  chan struct{} // closed when the goroutine has ended
}

// Watch leaves a token in changed whenever an interface, a route or a rule of the
// host may have changed. It never waits for room there: one token stands for any
// number of changes.
func Watch(changed chan<- struct{}) (*Watcher, error) {
	socket, err := subscribe()
	if err != nil {
		return nil, fmt.Errorf("watch interfaces, routes and rules: %w", err)
	}
	return watch(socket, changed), nil
}

func subscribe() (*nl.NetlinkSocket, error) {
	return nl.Subscribe(unix.NETLINK_ROUTE, unix.RTNLGRP_LINK, unix.RTNLGRP_IPV4_ROUTE, unix.RTNLGRP_IPV6_ROUTE,
		unix.RTNLGRP_IPV4_RULE, unix.RTNLGRP_IPV6_RULE)
}

// watch begins to read a socket, which then belongs to the Watcher.
func watch(socket *nl.NetlinkSocket, changed chan<- struct{}) *Watcher {
	w := &Watcher{socket: socket, done: make(chan struct{}), ended: make(chan struct{})}
	go func() {
		defer close(w.ended)
		w.run(changed)
	}()
	return w
}

// Close ends the subscription and returns when nothing more is put into
// changed. It may be called once.
func (w *Watcher) Close() {
	close(w.done)
	w.socket.Close()
	<-w.ended
}

// run reads until Close. Where changes come faster than they are read, the
// kernel drops some and says so (ENOBUFS). The subscription outlives that, and
// what was dropped is told like any other change.
func (w *Watcher) run(changed chan<- struct{}) {
	for {
		_, _, err := w.socket.Receive()
		if err != nil && !errors.Is(err, unix.ENOBUFS) {
			select {
			case <-w.done:
				return
			case <-time.After(retryAfter):
			}
		}
		select {
		case changed <- struct{}{}:
		default:
		}
	}
}
