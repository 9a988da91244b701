package tunnel

import (
	"context"
	"net"
	"net/netip"
	"time"
)

// resolver looks up the addresses of an endpoint's name.
type resolver interface {
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

var _ resolver = (*net.Resolver)(nil)

// resolveTimeout bounds one look-up.
const resolveTimeout = 10 * time.Second

// resolve looks up a peer's configured endpoint beside the control goroutine
// and leaves the answer as an event. An address needs no look-up.
func (c *controller) resolve(p *peer) {
	host, port := p.endpoint.Host, p.endpoint.Port
	if host == "" {
		return
	}
	if addr, err := netip.ParseAddr(host); err == nil {
		p.candidates = []netip.AddrPort{netip.AddrPortFrom(addr.Unmap(), port)}
		return
	}
	if p.resolving {
		return
	}
	p.resolving = true
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), resolveTimeout)
		defer cancel()
		addrs, err := c.resolver.LookupNetIP(ctx, "ip", host)
		select {
		case c.events <- func(now time.Time) { c.resolved(p, addrs, err, now) }:
		case <-c.stopped:
		}
	}()
}

// resolved takes the outcome of a look-up. A failure keeps what was known.
func (c *controller) resolved(p *peer, addrs []netip.Addr, err error, now time.Time) {
	p.resolving = false
	if err != nil {
		c.complain(p, now, "endpoint's name does not resolve", "host", p.endpoint.Host, "error", err)
		return
	}
	first := len(p.candidates) == 0
	p.candidates = p.candidates[:0]
	for _, addr := range addrs {
		p.candidates = append(p.candidates, netip.AddrPortFrom(addr.Unmap(), p.endpoint.Port))
	}
	if first && p.initiations.wanted {
		p.initiations.hurry(now)
		c.schedule(p, now)
	}
}
