package tunnel

import (
	"context"
	"errors"
	"fmt"
	"time"

	"fathom/esp"
	"fathom/pmtud"
	"fathom/tunnel/status"
)

// The token of a probe run's probe is its ID, marked twice. The highest bit is
// set, so that its ack is not taken for one of the tunnel's own discoveries. The
// bits below it hold the number of the run, so that a late ack does not enter the
// next run.
const (
	probeRunToken = 1 << 63
	// tokenMask covers what tells the probers of a peer apart.
	tokenMask = ^uint64(1<<pmtud.IDBits-1) &^ copyMask
)

// probeRun is a `fathom probe` under way: a second discovery on the path, which
// the tunnel does not obey. Owned by the control goroutine.
type probeRun struct {
	prober
	began   time.Time
	exactAt time.Time // when the PLPMTU last grew
	plpmtu  int
	done    chan *status.ProbeReport
}

var errBusyProbing = errors.New("another `fathom probe` of this path is under way")

// probe measures the path to the named peer. The run ends with ctx.
func (c *controller) probe(ctx context.Context, name string) (*status.ProbeReport, error) {
	done := make(chan *status.ProbeReport, 1)
	var p *peer
	var refused error
	err := c.events.ask(ctx, func(c *controller, now time.Time) {
		if p, refused = c.named(name); refused != nil {
			return
		}
		refused = p.beginProbeRun(done, now)
		c.attend(p, now)
	})
	if err == nil && refused != nil {
		return nil, refused
	}
	if err == nil {
		select {
		case report := <-done:
			return report, nil
		case <-ctx.Done():
			err = context.Cause(ctx)
		}
	}
	_ = c.events.deliver(context.Background(), ofRequest, func(*controller, time.Time) {
		if p != nil {
			p.abandonProbeRun(done)
		}
	})
	return nil, err
}

// abandonProbeRun ends the run that reports to done, if there is one.
func (p *peer) abandonProbeRun(done chan *status.ProbeReport) {
	if p.probeRun != nil && p.probeRun.done == done {
		p.probeRun = nil
	}
}

func (p *peer) beginProbeRun(done chan *status.ProbeReport, now time.Time) error {
	path := p.path
	switch {
	case p.probeRun != nil:
		return errBusyProbing
	case path == nil || p.sas.current == nil || !p.provedHere():
		return fmt.Errorf("peer %s is not established", p.name)
	}
	config := discoveryConfig(p.config)
	config.Mode = pmtud.Fan
	p.probeRuns++
	s := &probeRun{began: now, done: done}
	s.prober = prober{Discovery: pmtud.New(config), token: probeRunToken | p.probeRuns%maxPathNumber<<pmtud.IDBits, mask: tokenMask, variants: p.variants}
	s.NewEndpoint(pmtud.Endpoint{IPv6: path.IPv6(), EgressMTU: path.egress}, now)
	if rtt, _ := p.discovery.RTT(); rtt > 0 {
		s.SeedRTT(rtt)
	}
	p.probeRun = s
	return nil
}

// continueProbeRun sends the probes that are due, and reports at the end of the
// run.
func (c *controller) continueProbeRun(p *peer, now time.Time) {
	s := p.probeRun
	if s == nil {
		return
	}
	s.poll(now, c.messenger.to(p))
	if plpmtu := s.PLPMTU(); plpmtu != s.plpmtu {
		s.plpmtu, s.exactAt = plpmtu, now
	}
	if s.Settled() || now.Sub(s.began) >= status.ProbeTimeout || p.sas.current == nil {
		p.probeRun = nil
		s.done <- s.result(p, now)
	}
}

// deadline is when the run is to be continued.
func (s *probeRun) deadline() time.Time {
	return earliest(s.Deadline(), s.began.Add(status.ProbeTimeout))
}

func (s *probeRun) result(p *peer, now time.Time) *status.ProbeReport {
	d := s.Discovery
	rtt, _ := d.RTT()
	result := &status.ProbeReport{
		Schema:      status.ProbeSchema,
		Peer:        p.name,
		PLPMTU:      d.PLPMTU(),
		State:       d.State().String(),
		Exact:       d.Settled(),
		RTTMillis:   millis(rtt),
		TookMillis:  millis(now.Sub(s.began)),
		ExactMillis: millis(s.exactAt.Sub(s.began)),
		ClearsDF:    d.ClearsDF(),
	}
	if path := p.path; path != nil {
		result.Endpoint, result.EgressMTU = path.Remote().String(), path.egress
		result.InnerMTU = esp.InnerMTU(path.IPv6(), d.PLPMTU())
	}
	if rtt > 0 {
		result.RoundTrips = float64(now.Sub(s.began)) / float64(rtt)
	}
	for _, probe := range d.ProbeRecords() {
		result.Fans = max(result.Fans, probe.Fan)
		result.Probes = append(result.Probes, status.ProbeResult{
			Fan: probe.Fan, Size: probe.Size, Outcome: probe.Outcome.String(), AfterMillis: millis(probe.After),
		})
	}
	return result
}

func millis(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
