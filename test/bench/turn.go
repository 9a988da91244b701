//go:build linux

package main

import (
	"fmt"
	"os"
	"regexp"
	"strings"

	"fathom/test/netlab"
)

// part is a contender with the wanted measurements.
type part struct {
	contender
	loads []*load
}

// parts returns the contenders of a scene that can start.
func (s *scene) parts(programs programs, wanted *regexp.Regexp) (parts []part) {
	for _, c := range s.contenders {
		if !programs.has(&c) {
			continue
		}
		p := part{contender: c}
		for _, l := range s.loads {
			if c.takes(l) && wanted.MatchString(strings.Join([]string{s.name, c.name, l.name}, "/")) {
				p.loads = append(p.loads, l)
			}
		}
		if len(p.loads) > 0 {
			parts = append(parts, p)
		}
	}
	return parts
}

// run measures one scene, in a laboratory of its own.
func (r *results) run(s *scene, programs programs, wanted *regexp.Regexp) (err error) {
	defer netlab.Catch(&err)
	parts := s.parts(programs, wanted)
	if len(parts) == 0 {
		return nil
	}
	lab, err := netlab.New()
	if err != nil {
		return err
	}
	defer lab.Close()
	place := s.lay(lab)
	r.congestion = place.a.ReadSysctl("net.ipv4.tcp_congestion_control")
	rounds := r.Rounds
	if s.rounds > 0 {
		rounds = min(rounds, s.rounds)
	}
	for round := range rounds {
		// The first finds the machine in another state than the last.
		for i := range parts {
			r.turn(round, s, place, &parts[(round+i)%len(parts)], programs)
		}
	}
	return nil
}

// turn lets one contender take its turn of a round.
func (r *results) turn(round int, s *scene, place *place, p *part, programs programs) {
	var v *variant
	stop := func() {
		if v == nil {
			return
		}
		if err := v.stop(); err != nil {
			r.failed(round, s.name+", "+p.name+", at its end", err)
		}
		v = nil
	}
	defer stop()
	for _, l := range p.loads {
		if l.fresh {
			stop()
		}
		figures, err := r.measure(s, place, p, l, &v, programs)
		if err != nil {
			r.fail(round, s, l, p.name, err)
			fmt.Fprintf(os.Stderr, "%d  %-18s %-34s %-48s failed: %v\n", round+1, s.name, p.name, l.name, err)
			stop() // whatever state it is in
			continue
		}
		r.add(round, s, l, p.name, figures)
		fmt.Fprintf(os.Stderr, "%d  %-18s %-34s %-48s", round+1, s.name, p.name, l.name)
		for i, f := range figures {
			fmt.Fprintf(os.Stderr, " %9.2f %s", f, l.columns[i].text)
		}
		fmt.Fprintln(os.Stderr)
	}
}

// measure takes the running variant, or starts one.
func (r *results) measure(s *scene, place *place, p *part, l *load, v **variant, programs programs) (figures []float64, err error) {
	defer netlab.Catch(&err)
	if *v == nil {
		place.forget()
		started, err := p.start(place, programs)
		if err != nil {
			return nil, fmt.Errorf("start: %w", err)
		}
		*v = started
		r.started(s, p.name, started)
		if !l.fresh {
			if err := warmUp(started); err != nil {
				return nil, fmt.Errorf("warm up: %w", err)
			}
		}
	}
	return l.measure(*v, r.Length)
}

// forget makes the hosts forget what ICMP has told them of the path, and keeps
// TCP from carrying its measurements over from one contender to the next.
func (p *place) forget() {
	for _, h := range []*netlab.Host{p.a, p.b} {
		h.Sysctl("net.ipv4.route.flush", "1")
		h.Sysctl("net.ipv4.tcp_no_metrics_save", "1")
	}
}
