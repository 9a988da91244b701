package tunnel

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"fathom/conf"
	"fathom/tunnel/status"
)

// resolver looks up the addresses of the name of an endpoint.
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
		for i, e := range p.endpoints {
			if !e.Addr().IsValid() {
				lookups.Go(func() { p.found[i].addrs, _ = c.lookups.resolver.LookupNetIP(ctx, "ip", e.Host) })
			}
		}
	}
	lookups.Wait()
	for _, p := range c.peers {
		if p.named() {
			p.choose()
		}
	}
}

// named reports whether an endpoint of the peer's has to be looked up.
func (p *peer) named() bool {
	return slices.ContainsFunc(p.endpoints, func(e conf.Endpoint) bool { return !e.Addr().IsValid() })
}

// found is what is known of an endpoint: the addresses of its name.
type found struct {
	addrs     []netip.Addr
	resolving bool // a look-up is under way
}

// maxAddresses bounds the addresses of a name at which a peer is called.
const maxAddresses = 8

// choose makes the candidates the addresses of the endpoints, in order, and behind them
// the place where the peer was when the tunnel last ended: a name may have been
// changed too late, or not be found at all.
func (p *peer) choose() {
	p.candidates = p.candidates[:0]
	add := func(at netip.AddrPort) {
		if at.Addr().IsValid() && !slices.Contains(p.candidates, at) {
			p.candidates = append(p.candidates, at)
		}
	}
	for i, e := range p.endpoints {
		add(netip.AddrPortFrom(e.Addr(), e.Port))
		addrs := p.found[i].addrs
		for _, addr := range addrs[:min(len(addrs), maxAddresses)] {
			add(netip.AddrPortFrom(addr.Unmap(), e.Port))
		}
	}
	add(p.remembered)
}

// resolve looks up a peer's configured endpoints beside the control goroutine
// and leaves the answers as events. An address needs no look-up.
func (c *controller) resolve(p *peer) {
	if len(p.endpoints) > 0 {
		p.choose()
	}
	for i, e := range p.endpoints {
		if e.Addr().IsValid() || p.found[i].resolving {
			continue
		}
		p.found[i].resolving = true
		c.lookups.start(e.Host, func(ctx context.Context, addrs []netip.Addr, err error) {
			_ = c.events.deliver(ctx, ofRequest, func(c *controller, now time.Time) {
				if !p.removed && i < len(p.endpoints) && p.endpoints[i] == e { // no reload has put another in its place
					c.resolved(p, i, addrs, err, now)
				}
			})
		})
	}
}

// renumberedEvery is how often a new address is called at once. To call begins with
// another look-up: where each has another answer, there would be no end.
const renumberedEvery = 5 * time.Second

// resolved takes the outcome of a look-up of an endpoint. After a failure the known
// addresses stay.
func (c *controller) resolved(p *peer, endpoint int, addrs []netip.Addr, err error, now time.Time) {
	of := &p.found[endpoint]
	of.resolving = false
	if err != nil {
		p.attempts.fails(status.ReasonNoName, noName(p.endpoints[endpoint].Host, err), now)
		c.warn(p, &warning{what: "endpoint's name does not resolve", cause: err, details: []any{"host", p.endpoints[endpoint].Host}}, now)
		return
	}
	before := slices.Clone(p.candidates)
	of.addrs = addrs
	p.choose()
	fresh := len(addrs) > 0 && !slices.Contains(before, netip.AddrPortFrom(addrs[0].Unmap(), p.endpoints[endpoint].Port))
	if !slices.Equal(p.candidates, before) {
		c.offerWays(p, now)
		c.followPaths(p, now)
	}
	if fresh && p.initiations.wanted && p.renumbered.allow(now) {
		p.initiations.hurry(now)
	}
	c.attend(p, now)
}
