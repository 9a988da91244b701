package tunnel

import (
	"context"
	"errors"
	"fmt"
	"time"

	"fathom/esp"
	"fathom/pmtud"
	"fathom/tunnel/control"
	"fathom/tunnel/udp"
)

// Sounding is a measurement of the path to a peer, made when it was asked for,
// beside the discovery that the tunnel goes by. The JSON names are stable.
type Sounding struct {
	Peer     string `json:"peer"`
	Endpoint string `json:"endpoint"`
	// EgressMTU is that of the host's own interface or route, and PLPMTU what
	// was found, in bytes of the outer IP packet.
	EgressMTU int `json:"egress_mtu"`
	PLPMTU    int `json:"plpmtu"`
	// InnerMTU is the largest inner packet, in bytes, that fits PLPMTU.
	InnerMTU int `json:"inner_mtu"`
	// State is the state of RFC 8899 section 5.2 in which the sounding ended:
	// "error" if not even BASE_PLPMTU passes.
	State string `json:"state"`
	// Exact says that the search has ended: the next larger size does not pass.
	Exact bool `json:"exact"`
	// Fans is how many times probes were sent and waited for.
	Fans        int           `json:"fans"`
	RTTMillis   float64       `json:"rtt_ms"`
	TookMillis  float64       `json:"took_ms"`
	ClearsDF    bool          `json:"clears_df"`   // probes arrived in fragments
	RoundTrips  float64       `json:"round_trips"` // TookMillis in units of RTTMillis
	ExactMillis float64       `json:"exact_ms"`    // until the final PLPMTU was first acknowledged
	Probes      []ProbeResult `json:"probes"`
}

// ProbeResult is what became of one probe of a sounding.
type ProbeResult struct {
	Fan         int     `json:"fan"`  // counts from 1
	Size        int     `json:"size"` // bytes of the outer IP packet
	Outcome     string  `json:"outcome"`
	AfterMillis float64 `json:"after_ms,omitempty"` // from the probe to its ack
}

// soundingTimeout bounds a sounding.
const soundingTimeout = 20 * time.Second

// soundingIDs marks the probes of soundings, so that their acks are not taken
// for those of the discovery in use.
const soundingIDs = 1 << 63

// sounding is one that is under way. Owned by the control goroutine.
type sounding struct {
	discovery *pmtud.Discovery
	began     time.Time
	exactAt   time.Time // when the PLPMTU last grew
	plpmtu    int
	actions   []pmtud.Action
	done      chan *Sounding
}

var errBusySounding = errors.New("a sounding of this path is under way")

// sound has the control goroutine sound the path to the named peer.
func (c *controller) sound(ctx context.Context, name string) (*Sounding, error) {
	var p *peer
	for _, candidate := range c.peers {
		if candidate.name == name {
			p = candidate
		}
	}
	if p == nil {
		return nil, fmt.Errorf("there is no peer %q", name)
	}
	began := make(chan error, 1)
	done := make(chan *Sounding, 1)
	if err := c.events.deliver(ctx, func(c *controller, now time.Time) { began <- c.beginSounding(p, done, now) }); err != nil {
		return nil, err
	}
	select {
	case err := <-began:
		if err != nil {
			return nil, err
		}
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	select {
	case s := <-done:
		return s, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

func (c *controller) beginSounding(p *peer, done chan *Sounding, now time.Time) error {
	to := p.path
	switch {
	case p.sounding != nil:
		return errBusySounding
	case to == nil || p.sas.current == nil || !p.validated:
		return fmt.Errorf("peer %s is not established", p.name)
	}
	config := discoveryConfig(p.config)
	config.Mode = pmtud.Fan
	s := &sounding{discovery: pmtud.New(config), began: now, done: done}
	s.discovery.NewEndpoint(pmtud.Endpoint{IPv6: to.IPv6(), EgressMTU: to.egress}, now)
	if rtt, _ := p.discovery.RTT(); rtt > 0 {
		s.discovery.SeedRTT(rtt)
	}
	p.sounding = s
	c.attend(p, now)
	return nil
}

// continueSounding sends what is due, and ends the sounding when it is over.
func (c *controller) continueSounding(p *peer, now time.Time) {
	s := p.sounding
	if s == nil {
		return
	}
	s.actions = s.discovery.Poll(s.actions[:0], now)
	for _, a := range s.actions {
		if a.Kind != pmtud.SendProbe {
			continue
		}
		if err := c.messenger.control(p, control.AppendToken(nil, control.Probe, a.ID|soundingIDs), a.Size); err != nil {
			s.discovery.ProbeFailed(a.ID, errors.Is(err, udp.ErrTooBig), now)
		}
	}
	if plpmtu := s.discovery.PLPMTU(); plpmtu != s.plpmtu {
		s.plpmtu, s.exactAt = plpmtu, now
	}
	if s.discovery.Settled() || now.Sub(s.began) >= soundingTimeout || p.sas.current == nil {
		p.sounding = nil
		s.done <- s.result(p, now)
	}
}

// ackSounding takes in an ack, if it is a sounding's.
func (c *controller) ackSounding(p *peer, e control.Element, now time.Time) bool {
	if e.Token()&soundingIDs == 0 {
		return false
	}
	if p.sounding != nil {
		p.sounding.discovery.Ack(e.Token()&^soundingIDs, e.Fragmented(), now)
	}
	return true
}

// deadline is when the sounding is to be continued.
func (s *sounding) deadline() time.Time {
	return earliest(s.discovery.Deadline(), s.began.Add(soundingTimeout))
}

func (s *sounding) result(p *peer, now time.Time) *Sounding {
	d := s.discovery
	rtt, _ := d.RTT()
	result := &Sounding{
		Peer:        p.name,
		PLPMTU:      d.PLPMTU(),
		State:       d.State().String(),
		Exact:       d.Settled(),
		RTTMillis:   millis(rtt),
		TookMillis:  millis(now.Sub(s.began)),
		ExactMillis: millis(s.exactAt.Sub(s.began)),
		ClearsDF:    d.ClearsDF(),
	}
	if to := p.path; to != nil {
		result.Endpoint, result.EgressMTU = to.Remote().String(), to.egress
		result.InnerMTU = esp.InnerMTU(to.IPv6(), d.PLPMTU())
	}
	if rtt > 0 {
		result.RoundTrips = float64(now.Sub(s.began)) / float64(rtt)
	}
	for _, probe := range d.ProbeRecords() {
		result.Fans = max(result.Fans, probe.Fan)
		result.Probes = append(result.Probes, ProbeResult{probe.Fan, probe.Size, probe.Outcome.String(), millis(probe.After)})
	}
	return result
}

func millis(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
