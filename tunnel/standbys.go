package tunnel

import (
	"net/netip"
	"slices"
	"time"

	"fathom/pmtud"
	"fathom/tunnel/paths"
)

// This file keeps what is known of the sizes that the paths to a peer carry, so that
// nothing has to be found out again when another is used.

// pathKey tells the paths to a peer apart. Pairs that differ in our own address alone
// share one.
type pathKey struct {
	by     int // index of the interface that packets leave by
	remote netip.AddrPort
}

// pathDiscovery is what is known of the sizes that a path to a peer carries. Owned by
// the control goroutine.
type pathDiscovery struct {
	prober
	key pathKey
	// number tells the discoveries of a peer apart: see path.
	number uint16
	// last is the path when it was last used, or as it would be. Probes of a path that
	// stands by are sent by it.
	last *path
}

func newPathDiscovery(c pmtud.Config, number uint16) *pathDiscovery {
	c.Path = number
	return &pathDiscovery{prober: prober{Discovery: pmtud.New(c), token: uint64(number) << pmtud.IDBits, mask: tokenMask}, number: number}
}

// settledOr returns the PLPMTU with which the last search has ended, otherwise if none
// has.
func (d *pathDiscovery) settledOr(otherwise int) int {
	switch {
	case d.Settled():
		return d.PLPMTU()
	case d.last != nil && d.last.settled > 0:
		return d.last.settled
	}
	return otherwise
}

// standbys are the discoveries of a peer's paths that are not in use. A peer with one
// pair has none. Owned by the control goroutine.
type standbys struct {
	all    []*pathDiscovery
	number uint16 // of the last that was begun
	// known says whose discovery a pair shares; nil: that in use, or the host has no way
	// there. It is found out anew when another path is used, or the host changes.
	known map[paths.Pair]*pathDiscovery
	at    time.Time       // when the first is to be polled; zero: none is
	pairs []paths.Standby // scratch
	// counts are those of all discoveries of the peer that there ever were.
	counts *pmtud.Counts
}

// maxPathNumber bounds the numbers: a token has room for 13 bits.
const maxPathNumber = 1<<(copyShift-pmtud.IDBits) - 1

// begin returns a new discovery beside the one in use.
func (s *standbys) begin(c pmtud.Config, inUse *pathDiscovery) *pathDiscovery {
	for taken := true; taken; {
		s.number = s.number%maxPathNumber + 1
		taken = inUse != nil && inUse.number == s.number || slices.ContainsFunc(s.all, func(d *pathDiscovery) bool { return d.number == s.number })
	}
	if s.counts == nil {
		s.counts = new(pmtud.Counts)
	}
	c.Counts = s.counts
	return newPathDiscovery(c, s.number)
}

// find returns the discovery of a path, nil if there is none.
func (s *standbys) find(key pathKey) *pathDiscovery {
	for _, d := range s.all {
		if d.key == key {
			return d
		}
	}
	return nil
}

// take takes out the discovery of a path, nil if there is none.
func (s *standbys) take(key pathKey) *pathDiscovery {
	d := s.find(key)
	s.keep(func(other *pathDiscovery) bool { return other != d })
	return d
}

// put adds that of a path that was in use.
func (s *standbys) put(d *pathDiscovery) {
	s.all = append(s.all, d)
	s.known = nil
}

// keep forgets those for which keeps is false.
func (s *standbys) keep(keeps func(*pathDiscovery) bool) {
	if n := len(s.all); n > 0 {
		if s.all = slices.DeleteFunc(s.all, func(d *pathDiscovery) bool { return !keeps(d) }); len(s.all) < n {
			s.known = nil
		}
	}
}

// clear forgets all.
func (s *standbys) clear() { *s = standbys{number: s.number, counts: s.counts} }

// leadsTo reports whether a pair belongs to a path, as far as it tells the interface.
func (k pathKey) leadsTo(pair paths.Pair) bool {
	return k.remote == pair.Remote && (pair.Interface == 0 || pair.Interface == k.by)
}

// discoveryNumbered returns one of the peer's discoveries, nil if it is forgotten.
func (p *peer) discoveryNumbered(number uint16) *pathDiscovery {
	if p.discovery.number == number {
		return p.discovery
	}
	for _, d := range p.standbys.all {
		if d.number == number {
			return d
		}
	}
	return nil
}

// pollStandbys keeps up what is known of the paths that are not in use, as long as the
// Set of pairs knows them. Only those are probed that are proved and kept so.
func (c *controller) pollStandbys(p *peer, now time.Time) {
	s := &p.standbys
	s.at = time.Time{}
	if p.sas.current == nil {
		s.clear()
		return
	}
	s.pairs = p.paths.Standbys(s.pairs[:0], now)
	s.keep(func(d *pathDiscovery) bool {
		return slices.ContainsFunc(s.pairs, func(pair paths.Standby) bool { return d.key.leadsTo(pair.Pair) })
	})
	for _, pair := range s.pairs {
		if !pair.Warm || !p.measures() {
			continue
		}
		d := c.standbyOf(p, pair.Pair, now)
		if d == nil {
			continue
		}
		d.variants = p.variants
		d.poll(now, c.messenger.by(p, &session{peer: p, sa: p.sas.current.outbound, path: d.last}))
		s.at = earliest(s.at, d.Deadline())
	}
}

// standbyOf returns the discovery of a pair that is not in use, which may be a new one;
// nil if it shares that in use, or the host cannot send by it.
func (c *controller) standbyOf(p *peer, pair paths.Pair, now time.Time) *pathDiscovery {
	s := &p.standbys
	d, known := s.known[pair]
	if known {
		return d
	}
	if s.known == nil {
		s.known = make(map[paths.Pair]*pathDiscovery)
	}
	path := p.pathBy(pair)
	if e, err := c.egress(path.Destination); err == nil {
		if key := (pathKey{e.Interface, pair.Remote}); key != p.discovery.key {
			if d = s.find(key); d == nil {
				d = s.begin(discoveryConfig(p.config), p.discovery)
				d.key = key
				path.by, path.number, path.deviceMTU = e.Interface, d.number, c.host.fixed
				d.last = path.with(0, 0, e.MTU)
				d.StandBy()
				d.NewEndpoint(pmtud.Endpoint{IPv6: path.IPv6(), EgressMTU: e.MTU}, now)
				d.SeedRTT(p.paths.SRTT(pair))
				s.all = append(s.all, d)
			}
		}
	}
	s.known[pair] = d
	return d
}

// lookForStandbys asks the host for the ways of the paths that are not in use.
func (c *controller) lookForStandbys(p *peer, now time.Time) {
	p.standbys.known = nil
	p.standbys.keep(func(d *pathDiscovery) bool {
		e, err := c.egress(d.last.Destination)
		if err != nil || e.Interface != d.key.by {
			return false
		}
		if e.MTU != d.last.egress {
			d.last = d.last.with(d.last.plpmtu, d.last.settled, e.MTU)
			d.EgressMTU(e.MTU, now)
		}
		return true
	})
}
