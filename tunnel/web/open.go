package web

import (
	"context"
	"log/slog"
	"net"
	"net/netip"
	"time"
)

// firstWait is how long a listener that cannot be opened is left alone at first. That
// doubles each time, up to maxWait.
const (
	firstWait = time.Second
	maxWait   = 30 * time.Second
)

// Pages are what a tunnel shows, at the place where its configuration says. Packets do not
// depend on them: where the listener cannot be opened, as another program has the port or
// the address is not there yet, the tunnel runs without it until it can.
type Pages struct {
	listen func() (net.Listener, error)
	log    *slog.Logger
	opened net.Listener // by Open; nil: it could not
}

// Open tries to open the listener at an address or at the path of a Unix socket, as Listen
// does, and says in the log whether it could. With neither it returns nil. The caller has
// to call Serve, which tries again and closes the listener.
func Open(addr netip.AddrPort, socket string, log *slog.Logger) *Pages {
	if !addr.IsValid() && socket == "" {
		return nil
	}
	return open(func() (net.Listener, error) { return Listen(addr, socket) }, log)
}

func open(listen func() (net.Listener, error), log *slog.Logger) *Pages {
	p := &Pages{listen: listen, log: log}
	var err error
	if p.opened, err = listen(); err != nil {
		log.Warn("cannot serve metrics and the page; the tunnel runs without them and tries again", "error", err)
	} else {
		p.tell()
	}
	return p
}

func (p *Pages) tell() { p.log.Info("metrics and a page", "at", p.opened.Addr()) }

// Serve shows the source to clients until ctx ends.
func (p *Pages) Serve(ctx context.Context, source Source) {
	for wait := firstWait; p.opened == nil; wait = min(2*wait, maxWait) {
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return
		}
		var err error
		if p.opened, err = p.listen(); err != nil {
			p.opened = nil
			p.log.Debug("metrics and the page", "error", err)
			continue
		}
		p.tell()
	}
	Serve(ctx, p.opened, source, p.log)
}
