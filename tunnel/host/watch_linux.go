package host

import (
	"errors"
	"fmt"
	"net/netip"
	"syscall"
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

// Watch adds to changes whenever an interface, a route or a rule of the host may
// have changed.
func Watch(changes *Changes) (*Watcher, error) {
	socket, err := subscribe()
	if err != nil {
		return nil, fmt.Errorf("watch interfaces, routes and rules: %w", err)
	}
	return watch(socket, changes), nil
}

func subscribe() (*nl.NetlinkSocket, error) {
	return nl.Subscribe(unix.NETLINK_ROUTE, unix.RTNLGRP_LINK, unix.RTNLGRP_IPV4_ROUTE, unix.RTNLGRP_IPV6_ROUTE,
		unix.RTNLGRP_IPV4_RULE, unix.RTNLGRP_IPV6_RULE)
}

// watch begins to read a socket, which then belongs to the Watcher.
func watch(socket *nl.NetlinkSocket, changes *Changes) *Watcher {
	w := &Watcher{socket: socket, done: make(chan struct{}), ended: make(chan struct{})}
	go func() {
		defer close(w.ended)
		w.run(changes)
	}()
	return w
}

// Close ends the subscription and returns when nothing more is added. It may be
// called once.
func (w *Watcher) Close() {
	close(w.done)
	w.socket.Close()
	<-w.ended
}

// run reads until Close. Where changes come faster than they are read, the
// kernel drops some and says so (ENOBUFS). The subscription outlives that, and
// what was dropped may have been any change.
func (w *Watcher) run(changes *Changes) {
	for {
		messages, _, err := w.socket.Receive()
		for i := range messages {
			add(changes, &messages[i])
		}
		if err != nil {
			changes.Any()
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

// add adds what a message tells.
func add(changes *Changes, m *syscall.NetlinkMessage) {
	if prefix, ok := routePrefix(m); ok {
		changes.To(prefix)
	} else {
		changes.Any()
	}
}

// routePrefix returns the prefix of a route that a message tells of.
func routePrefix(m *syscall.NetlinkMessage) (netip.Prefix, bool) {
	if t := m.Header.Type; t != unix.RTM_NEWROUTE && t != unix.RTM_DELROUTE || len(m.Data) < unix.SizeofRtMsg {
		return netip.Prefix{}, false
	}
	header := nl.DeserializeRtMsg(m.Data)
	addr := netip.IPv4Unspecified() // a default route has no destination
	if header.Family == unix.AF_INET6 {
		addr = netip.IPv6Unspecified()
	}
	attributes, err := nl.ParseRouteAttr(m.Data[unix.SizeofRtMsg:])
	if err != nil {
		return netip.Prefix{}, false
	}
	for _, a := range attributes {
		if to, ok := netip.AddrFromSlice(a.Value); ok && a.Attr.Type == unix.RTA_DST {
			addr = to
		}
	}
	prefix, err := addr.Prefix(int(header.Dst_len))
	return prefix, err == nil
}
