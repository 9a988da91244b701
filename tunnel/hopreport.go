package tunnel

import (
	"context"
	"time"

	"fathom/tunnel/control"
	"fathom/tunnel/hops"
	"fathom/tunnel/status"
)

// hops measures the hops to the named peer, and asks it for the other direction: see
// status.Source.
func (c *controller) hops(ctx context.Context, name string) (*status.HopsReport, error) {
	report := &status.HopsReport{Schema: status.HopsSchema, Peer: name}
	type outcome struct{ err error }
	done := make(chan outcome, 2)
	var here, there string // addresses of the ends
	var p *peer
	forth := &hopWait{func(r *hops.Report, err error) {
		if r != nil {
			report.Forth = hopsWay(r, here, there)
			p.keepHops(func(kept *status.MeasuredHops) { kept.Forth = report.Forth })
		}
		done <- outcome{err}
	}}
	back := &hopFarWait{func(r *hops.Report, err error) {
		if err != nil {
			report.BackProblem = err.Error()
		} else {
			report.Back = hopsWay(r, there, here)
		}
		p.keepHops(func(kept *status.MeasuredHops) { kept.Back, kept.BackProblem = report.Back, report.BackProblem })
		done <- outcome{}
	}}
	var refused error
	err := c.events.ask(ctx, func(c *controller, now time.Time) {
		if p, refused = c.named(name); refused != nil {
			return
		}
		if refused = p.measureHops(forth, now); refused == nil {
			here, there = p.path.pair.Local.String(), p.path.Remote().Addr().String()
			p.requestHops(back, now)
		}
		c.attend(p, now)
	})
	if err == nil && refused != nil {
		return nil, refused
	}
	for range 2 {
		if err != nil {
			break
		}
		select {
		case o := <-done:
			err = o.err
		case <-ctx.Done():
			err = context.Cause(ctx)
		case <-c.events.closed:
			err = errStopped
		}
	}
	if err == nil {
		return report, nil
	}
	_ = c.events.deliver(context.Background(), ofRequest, func(*controller, time.Time) {
		if p != nil {
			p.leaveHops(forth)
			p.farHops.leave(back)
		}
	})
	return nil, err
}

// keepHops changes what is kept of the measurements. Readers may have the former ones.
func (p *peer) keepHops(change func(kept *status.MeasuredHops)) {
	kept := new(status.MeasuredHops)
	if p.lastHops != nil {
		*kept = *p.lastHops
	}
	change(kept)
	p.lastHops = kept
}

// hopsStatus returns what is kept of the measurements, nil if there was none.
func (p *peer) hopsStatus(now time.Time) *status.MeasuredHops {
	if p.lastHops == nil || p.lastHops.Forth == nil {
		return nil
	}
	shown := *p.lastHops
	for _, way := range []**status.HopsWay{&shown.Forth, &shown.Back} {
		if *way != nil {
			w := **way
			w.At = onTheWall(w.At, now)
			*way = &w
		}
	}
	return &shown
}

// hopsWay returns a report for those who ask by the status socket.
func hopsWay(r *hops.Report, from, to string) *status.HopsWay {
	w := &status.HopsWay{At: time.Now(), From: from, To: to, Reached: r.Reached, Complete: r.Complete, ClearsDF: r.ClearsDF,
		Fans: r.Fans, Probes: r.Probes, TookMillis: millis(r.Took), Hops: []status.Hop{}, Places: []status.HopPlace{}}
	for i := range r.Hops {
		h := &r.Hops[i]
		one := status.Hop{Hop: i, Peer: h.Peer, Far: h.Far, Size: h.Size, Fails: h.Fails, Tells: h.Tells, Told: h.Told}
		switch {
		case i == 0:
			one.Address = from
		case h.Peer:
			one.Address = to
		case h.Addr.IsValid():
			one.Address = h.Addr.String()
		}
		if h.RoundTrip > 0 {
			rtt := millis(h.RoundTrip)
			one.RTTMillis = &rtt
		}
		w.Hops = append(w.Hops, one)
	}
	for _, p := range r.Places() {
		place := status.HopPlace{After: p.After, Passes: p.Passes, Fails: p.Fails}
		if p.Before >= 0 {
			place.Before = &p.Before
		}
		w.Places = append(w.Places, place)
	}
	return w
}

// hopParts returns a report as it goes over the wire.
func hopParts(token uint64, r *hops.Report) (parts []control.HopsResult) {
	count := max(1, (len(r.Hops)+control.HopsAPart-1)/control.HopsAPart)
	for i := range count {
		part := control.HopsResult{Token: token, State: control.HopsDone, Part: i, Parts: count,
			Reached: r.Reached, Complete: r.Complete, ClearsDF: r.ClearsDF, Fans: r.Fans, Probes: r.Probes, Took: r.Took}
		for _, h := range r.Hops[i*control.HopsAPart : min((i+1)*control.HopsAPart, len(r.Hops))] {
			trip := h.RoundTrip
			if trip > 0 {
				trip = max(trip, time.Microsecond) // 0 says that there was none
			}
			part.Hops = append(part.Hops, control.Hop{Peer: h.Peer, Far: h.Far, Tells: h.Tells, Addr: h.Addr, RoundTrip: trip, Size: h.Size, Fails: h.Fails, Told: h.Told})
		}
		parts = append(parts, part)
	}
	return parts
}

// joinHops is the inverse of hopParts.
func joinHops(parts []*control.HopsResult) *hops.Report {
	first := parts[0]
	r := &hops.Report{Reached: first.Reached, Complete: first.Complete, ClearsDF: first.ClearsDF, Fans: first.Fans, Probes: first.Probes, Took: first.Took}
	for _, part := range parts {
		for _, h := range part.Hops {
			r.Hops = append(r.Hops, hops.Hop{Peer: h.Peer, Far: h.Far, Addr: h.Addr, RoundTrip: h.RoundTrip, Size: h.Size, Fails: h.Fails, Tells: h.Tells, Told: h.Told})
		}
	}
	return r
}
