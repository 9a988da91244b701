package host

import (
	"errors"
	"fmt"
	"time"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

const (
	// retryAfter is the rest after an unexpected error, so that one that stays
	// does not keep a CPU busy.
	retryAfter = time.Second
	// gatherOurs is how long changes of our own things are gathered before they
	// are told, except the first, which may be a leak.
	gatherOurs = 10 * time.Millisecond
)

// Watcher watches the host's interfaces, addresses, routes and rules.
type Watcher struct {
	socket  *nl.NetlinkSocket
	judge   func(*event) verdict
	ours    *throttle
	changes *Changes
	done    chan struct{} // closed by Close
	ended   chan struct{} // closed when the goroutine has ended
}

// Watch leaves a token in ours when something of the Link may have to be put
// right (Restore), and adds to changes when the ways of the host to others may
// have changed, with the interfaces and addresses that have come or gone. The
// echo of the Link's own changes counts for neither, unless the Link has changed the
// same thing again meanwhile. The first token is left at once, for what has changed
// before. One token stands for any number of changes: the first is told at once, those
// after it are gathered for a moment.
func (l *Link) Watch(ours chan<- struct{}, changes *Changes) (*Watcher, error) {
	socket, err := subscribe()
	if err != nil {
		return nil, fmt.Errorf("watch interfaces, routes and rules: %w", err)
	}
	w := watch(socket, l.wanted.judge, &throttle{out: ours, every: gatherOurs}, changes)
	// What others have changed before the subscription was never told.
	l.wanted.judge(&event{of: ofAnything})
	w.ours.ask()
	return w, nil
}

func subscribe() (*nl.NetlinkSocket, error) {
	return nl.Subscribe(unix.NETLINK_ROUTE, unix.RTNLGRP_LINK,
		unix.RTNLGRP_IPV4_IFADDR, unix.RTNLGRP_IPV6_IFADDR,
		unix.RTNLGRP_IPV4_ROUTE, unix.RTNLGRP_IPV6_ROUTE,
		unix.RTNLGRP_IPV4_RULE, unix.RTNLGRP_IPV6_RULE)
}

// watch begins to read a socket, which then belongs to the Watcher.
func watch(socket *nl.NetlinkSocket, judge func(*event) verdict, ours *throttle, changes *Changes) *Watcher {
	w := &Watcher{socket: socket, judge: judge, ours: ours, changes: changes, done: make(chan struct{}), ended: make(chan struct{})}
	go func() {
		defer close(w.ended)
		w.run()
	}()
	return w
}

// Close ends the subscription and returns when nothing more is told. It may be
// called once.
func (w *Watcher) Close() {
	close(w.done)
	w.socket.Close()
	<-w.ended
	w.ours.close()
}

// run reads until Close. Where changes come faster than they are read, the
// kernel drops some and says so (ENOBUFS). The subscription outlives that, and
// what was dropped may have been any change.
func (w *Watcher) run() {
	for {
		messages, _, err := w.socket.Receive()
		for i := range messages {
			e := parseEvent(&messages[i])
			w.tell(&e, w.judge(&e))
		}
		if err != nil {
			lost := event{of: ofAnything}
			w.tell(&lost, w.judge(&lost))
		}
		if err != nil && !errors.Is(err, unix.ENOBUFS) {
			select {
			case <-w.done:
				return
			case <-time.After(retryAfter):
			}
		}
	}
}

// tell tells those whom an event concerns.
func (w *Watcher) tell(e *event, v verdict) {
	if v.ours {
		w.ours.ask()
	}
	switch {
	case !v.host:
	case e.of == ofRoute && e.prefix.IsValid():
		w.changes.To(e.prefix)
	case e.of == ofInterface:
		w.changes.Interface(e.index, e.carries && !e.gone)
	case e.of == ofAddress && e.prefix.IsValid():
		w.changes.Address(e.index, e.prefix.Addr(), !e.gone && !e.address.tentative)
	default:
		w.changes.Any()
	}
}
