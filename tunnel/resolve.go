package tunnel

import (
	"context"
	"net"
	"net/netip"
	"sync"
	"time"
)

// resolver looks up the addresses of an endpoint's name.
type resolver interface {
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

var _ resolver = (*net.Resolver)(nil)

// resolveTimeout bounds one look-up.
const resolveTimeout = 10 * time.Second

// lookups are the look-ups that are under way, each in a goroutine of its own.
type lookups struct {
	resolver resolver
	ctx      context.Context // done when no answer is wanted any more
	cancel   context.CancelFunc
	running  sync.WaitGroup
}

func newLookups(r resolver) *lookups {
	l := &lookups{resolver: r}
	l.ctx, l.cancel = context.WithCancel(context.Background())
	return l
}

// start begins a look-up, whose outcome goes to answer, in the goroutine of the
// look-up.
func (l *lookups) start(host string, answer func(ctx context.Context, addrs []netip.Addr, err error)) {
	l.running.Go(func() {
		ctx, cancel := context.WithTimeout(l.ctx, resolveTimeout)
		defer cancel()
		addrs, err := l.resolver.LookupNetIP(ctx, "ip", host)
		answer(l.ctx, addrs, err)
	})
}

// end cancels the look-ups and waits for them.
func (l *lookups) end() {
	l.cancel()
	l.running.Wait()
}

// resolveFirst looks up the endpoints that are names, all at once, before a default
// route leads into the tunnel: a resolver on the host, which does not ask with our
// mark, would ask through the tunnel, and that needs the answer first. What fails is
// tried again later.
func (c *controller) resolveFirst(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, resolveTimeout)
	defer cancel()
	var lookups sync.WaitGroup
	for _, p := range c.peers {
		host, port := p.endpoint.Host, p.endpoint.Port
		if _, err := netip.ParseAddr(host); host == "" || err == nil {
			continue
		}
		lookups.Go(func() {
			addrs, _ := c.lookups.resolver.LookupNetIP(ctx, "ip", host)
			for _, addr := range addrs {
				p.candidates = append(p.candidates, netip.AddrPortFrom(addr.Unmap(), port))
			}
		})
	}
	lookups.Wait()
}

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
	c.lookups.start(host, func(ctx context.Context, addrs []netip.Addr, err error) {
		_ = c.events.deliver(ctx, func(c *controller, now time.Time) { c.resolved(p, addrs, err, now) })
	})
}

// resolved takes the outcome of a look-up. After a failure the known addresses
// stay.
func (c *controller) resolved(p *peer, addrs []netip.Addr, err error, now time.Time) {
	p.resolving = false
	if err != nil {
		c.warn(p, &warning{what: "endpoint's name does not resolve", cause: err, details: []any{"host", p.endpoint.Host}}, now)
		return
	}
	first := len(p.candidates) == 0
	p.candidates = p.candidates[:0]
	for _, addr := range addrs {
		p.candidates = append(p.candidates, netip.AddrPortFrom(addr.Unmap(), p.endpoint.Port))
	}
	if first && p.initiations.wanted {
		p.initiations.hurry(now)
		c.attend(p, now)
	}
}
