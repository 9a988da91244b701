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
	// gatherOurs and gatherHost are how long changes are gathered before they
	// are told, but for the first. A change of what is ours may be a leak; the
	// others may come by the hundred.
	gatherOurs = 10 * time.Millisecond
	gatherHost = 200 * time.Millisecond
)

// Watcher watches the host's interfaces, addresses, routes and rules.
type Watcher struct {
	socket     *nl.NetlinkSocket
	judge      func(*event) verdict
	ours, host *throttle
	done       chan struct{} // closed by Close
	ended      chan struct{} // closed when the goroutine has ended
}

// Watch leaves a token in ours when something of the Link may have to be put
// right (Restore), and one in host when the ways of the host to others may have
// changed. The echo of the Link's own changes counts for neither, unless the
// Link has changed the same thing again meanwhile. The first
// change is told at once, those after it are gathered for a moment. Watch never
// waits for room in a channel: one token stands for any number of changes.
func (l *Link) Watch(ours, host chan<- struct{}) (*Watcher, error) {
	socket, err := subscribe()
	if err != nil {
		return nil, fmt.Errorf("watch interfaces and routes: %w", err)
	}
	return watch(socket, l.wanted.judge, &throttle{out: ours, every: gatherOurs}, &throttle{out: host, every: gatherHost}), nil
}

func subscribe() (*nl.NetlinkSocket, error) {
	return nl.Subscribe(unix.NETLINK_ROUTE, unix.RTNLGRP_LINK,
		unix.RTNLGRP_IPV4_IFADDR, unix.RTNLGRP_IPV6_IFADDR,
		unix.RTNLGRP_IPV4_ROUTE, unix.RTNLGRP_IPV6_ROUTE,
		unix.RTNLGRP_IPV4_RULE, unix.RTNLGRP_IPV6_RULE)
}

// watch begins to read a socket, which then belongs to the Watcher.
func watch(socket *nl.NetlinkSocket, judge func(*event) verdict, ours, host *throttle) *Watcher {
	w := &Watcher{socket: socket, judge: judge, ours: ours, host: host, done: make(chan struct{}), ended: make(chan struct{})}
	go func() {
		defer close(w.ended)
		w.run()
	}()
	return w
}

// Close ends the subscription and returns when nothing more is put into a
// channel. It may be called once.
func (w *Watcher) Close() {
	close(w.done)
	w.socket.Close()
	<-w.ended
	w.ours.close()
	w.host.close()
}

// run reads until Close. Where changes come faster than they are read, the
// kernel drops some and says so (ENOBUFS). The subscription outlives that, and
// what was dropped may have been anything.
func (w *Watcher) run() {
	for {
		messages, _, err := w.socket.Receive()
		v := verdict{ours: err != nil, host: err != nil}
		for i := range messages {
			e := parseEvent(&messages[i])
			of := w.judge(&e)
			v.ours, v.host = v.ours || of.ours, v.host || of.host
		}
		if err != nil && !errors.Is(err, unix.ENOBUFS) {
			select {
			case <-w.done:
				return
			case <-time.After(retryAfter):
			}
		}
		if v.ours {
			w.ours.ask()
		}
		if v.host {
			w.host.ask()
		}
	}
}
