package tunnel

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"fathom/tunnel/control"
	"fathom/tunnel/status"
)

// This file lets the ends of a tunnel ask each other how they are set up, for `fathom
// doctor`: an authentic peer is told what concerns it, and nobody else.

const (
	// factsServedEvery and factsServedBurst bound how often a peer is answered.
	factsServedEvery = time.Second
	factsServedBurst = 5

	// askFactsEvery is how often the peer is asked until it has answered, and askFactsFor
	// for how long.
	askFactsEvery = 500 * time.Millisecond
	askFactsFor   = 5 * time.Second
)

// serveFacts answers a peer that asks. What is not answered is asked again.
func (c *controller) serveFacts(p *peer, token uint64, now time.Time) {
	if !p.factsServed.allow(now) {
		return
	}
	f := control.Facts{Token: token, Clock: now, PLPMTU: p.discovery.PLPMTU(), Settled: p.probes() && p.discovery.Settled(),
		ClearsDF: p.discovery.ClearsDF(), Addresses: c.inner, Allowed: p.allowed}
	if p.path != nil {
		f.Seen = p.path.Remote()
	}
	for _, part := range factsParts(f) {
		_ = c.messenger.control(p, control.AppendFactsReport(nil, &part), 0)
	}
}

// factsParts divides the prefixes among as many parts as they need.
func factsParts(f control.Facts) (parts []control.Facts) {
	addresses, allowed := f.Addresses, f.Allowed
	count := max(1, (len(addresses)+len(allowed)+control.PrefixesAPart-1)/control.PrefixesAPart)
	f.Truncated = count > control.MaxFactsParts
	f.Parts = min(count, control.MaxFactsParts)
	for f.Part = range f.Parts {
		n := min(len(addresses), control.PrefixesAPart)
		f.Addresses, addresses = addresses[:n], addresses[n:]
		n = min(len(allowed), control.PrefixesAPart-n)
		f.Allowed, allowed = allowed[:n], allowed[n:]
		parts = append(parts, f)
	}
	return parts
}

// farFacts is what this end has asked the peer for. Owned by the control goroutine.
type farFacts struct {
	question[control.Facts, status.FactsReport]
	asked time.Time // last
}

// factsWait is somebody who waits for the answer.
type factsWait = asker[status.FactsReport]

var errNoFacts = errors.New("its version of Fathom does not tell")

// requestFacts has the peer asked.
func (p *peer) requestFacts(who *factsWait, now time.Time) error {
	switch pair := p.sas.current; {
	case pair == nil:
		return fmt.Errorf("%w: peer %s is not established", status.ErrNoAnswer, p.name)
	case pair.features&featureFacts == 0:
		return errNoFacts
	}
	p.farFacts.ask(who, now, askFactsFor)
	return nil
}

// askForFacts asks the peer, again and again, as long as somebody waits.
func (c *controller) askForFacts(p *peer, now time.Time) {
	f := &p.farFacts
	ask, over := f.due(now, askFactsEvery)
	switch {
	case over:
		f.end(nil, fmt.Errorf("%w of peer %s within %v", status.ErrNoAnswer, p.name, askFactsFor))
	case ask:
		f.asked = now
		_ = c.messenger.control(p, control.AppendToken(nil, control.FactsRequest, f.token), 0)
	}
}

// report takes in an answer of the peer's, which may be one of several parts.
func (f *farFacts) report(e control.Element, now time.Time) {
	part, err := e.Facts()
	if err != nil || f.token == 0 || part.Token != f.token {
		return
	}
	all := f.part(part.Part, part.Parts, &part)
	if all == nil {
		return
	}
	r := &status.FactsReport{Clock: part.Clock, Asked: f.asked.Round(0), Answered: now.Round(0), SeenAt: part.Seen, PLPMTU: part.PLPMTU, Settled: part.Settled,
		ClearsDF: part.ClearsDF, Truncated: part.Truncated, Addresses: []netip.Prefix{}, AllowedIPs: []netip.Prefix{}}
	for _, p := range all {
		r.Addresses = append(r.Addresses, p.Addresses...)
		r.AllowedIPs = append(r.AllowedIPs, p.Allowed...)
	}
	f.end(r, nil)
}

// facts asks the named peer how it is set up: see status.Source.
func (c *controller) facts(ctx context.Context, name string) (*status.FactsReport, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, status.FactsTimeout, fmt.Errorf("%w of peer %s within %v", status.ErrNoAnswer, name, status.FactsTimeout))
	defer cancel()
	type outcome struct {
		report *status.FactsReport
		err    error
	}
	done := make(chan outcome, 1)
	who := &factsWait{func(r *status.FactsReport, err error) { done <- outcome{r, err} }}
	var p *peer
	var refused error
	err := c.events.ask(ctx, func(c *controller, now time.Time) {
		if p, refused = c.named(name); refused == nil {
			refused = p.requestFacts(who, now)
			c.attend(p, now)
		}
	})
	if err == nil {
		err = refused
	}
	if err != nil {
		return nil, err
	}
	select {
	case o := <-done:
		if o.err != nil {
			return nil, o.err
		}
		report := *o.report // others may have it, too
		report.Peer = name
		return &report, nil
	case <-ctx.Done():
		err = context.Cause(ctx)
	case <-c.events.closed:
		err = errStopped
	}
	_ = c.events.deliver(context.Background(), ofRequest, func(*controller, time.Time) { p.farFacts.leave(who) })
	return nil, err
}
