package tunnel

import (
	"context"
	"net"
	"net/netip"
	"slices"
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

// resolveFirstTimeout bounds the look-ups that the start of the tunnel waits for.
const resolveFirstTimeout = 5 * time.Second

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
	ctx, cancel := context.WithTimeout(ctx, resolveFirstTimeout)
	defer cancel()
	var lookups sync.WaitGroup
	for _, p := range c.peers {
		if p.named() {
			lookups.Go(func() {
				addrs, _ := c.lookups.resolver.LookupNetIP(ctx, "ip", p.endpoint.Host)
				p.known(addrs)
			})
		}
	}
	lookups.Wait()
}

// named reports whether the peer's endpoint has to be looked up.
func (p *peer) named() bool {
	_, err := netip.ParseAddr(p.endpoint.Host)
	return p.endpoint.Host != "" && err != nil
}

// known makes the candidates those addresses of the endpoint's name, and behind them
// the place where the peer was when the tunnel last ended: the name may have been
// changed too late, or not be found at all.
func (p *peer) known(addrs []netip.Addr) {
	p.candidates = p.candidates[:0]
	for _, addr := range addrs {
		p.candidates = append(p.candidates, netip.AddrPortFrom(addr.Unmap(), p.endpoint.Port))
	}
	if p.remembered.IsValid() && !slices.Contains(p.candidates, p.remembered) {
		p.candidates = append(p.candidates, p.remembered)
	}
}

// resolve looks up a peer's configured endpoint beside the control goroutine
// and leaves the answer as an event. An address needs no look-up.
func (c *controller) resolve(p *peer) {
	host := p.endpoint.Host
	if host == "" {
		return
	}
	if addr, err := netip.ParseAddr(host); err == nil {
		p.known([]netip.Addr{addr})
		return
	}
	if p.resolving {
		return
	}
	p.resolving = true
	c.lookups.start(host, func(ctx context.Context, addrs []netip.Addr, err error) {
		_ = c.events.deliver(ctx, ofRequest, func(c *controller, now time.Time) { c.resolved(p, addrs, err, now) })
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
	before := slices.Clone(p.candidates)
	p.known(addrs)
	fresh := len(p.candidates) > 0 && !slices.Contains(before, p.candidates[0])
	if fresh && p.initiations.wanted {
		p.initiations.hurry(now)
		c.attend(p, now)
	}
}
