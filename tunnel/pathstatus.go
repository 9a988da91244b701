package tunnel

import (
	"time"

	"fathom/pmtud"
	"fathom/tunnel/paths"
	"fathom/tunnel/status"
)

// This file tells `fathom status` what package paths knows of a peer's pairs.

// deciders are the names of the roles.
var deciders = map[paths.Role]status.Decider{
	paths.Roaming: status.DeciderNone, paths.Decider: status.DeciderThisEnd, paths.Follower: status.DeciderPeer,
}

// pathsStatus returns the pairs by which the peer can be reached.
func (p *peer) pathsStatus(now time.Time) []status.Path {
	all := []status.Path{}
	for _, t := range p.paths.Status(now) {
		shown := status.Path{
			PathEnds: p.pathEnds(t.Pair), State: status.PathState(t.State.String()),
			PLPMTU: p.plpmtuBy(t.Pair), InUse: t.InUse, Offered: t.Ours,
		}
		if t.SRTT > 0 {
			ms := millis(t.SRTT)
			shown.RTTMillis = &ms
		}
		if t.InUse {
			since := onTheWall(t.Since, now)
			shown.Since = &since
		}
		all = append(all, shown)
	}
	return all
}

// plpmtuBy returns the PLPMTU by a pair, 0 while it is not known.
func (p *peer) plpmtuBy(pair paths.Pair) int {
	switch {
	case p.path == nil:
		return 0
	case p.path.pair == pair || p.path.pair.Interface == pair.Interface && p.path.Remote() == pair.Remote:
		return p.path.plpmtu
	}
	for _, d := range p.standbys.all {
		if d.key.leadsTo(pair) && d.State() != pmtud.Base {
			return d.PLPMTU()
		}
	}
	return 0
}

// pathHistory returns the last changes of the pair in use, oldest first.
func (p *peer) pathHistory(now time.Time) []status.PathMove {
	moves := []status.PathMove{}
	for _, m := range p.paths.History() {
		shown := status.PathMove{At: onTheWall(m.At, now), To: p.pathEnds(m.To), Cause: m.Cause.String()}
		if !m.From.IsZero() {
			from := p.pathEnds(m.From)
			shown.From = &from
		}
		moves = append(moves, shown)
	}
	return moves
}

// pathEnds names the ends of a pair. The host is not asked: the interface is known from
// when it offered the pair.
func (p *peer) pathEnds(pair paths.Pair) status.PathEnds {
	ends := status.PathEnds{Interface: p.uplinkNames[pair.Interface], Remote: pair.Remote.String()}
	if pair.Local.IsValid() {
		ends.Local = pair.Local.String()
	}
	if pair.Interface == 0 {
		for i := range p.ways {
			if w := &p.ways[i]; w.By() == 0 && w.Local == pair.Local && w.Remote == pair.Remote {
				ends.Interface = w.Name // what the kernel has chosen
			}
		}
	}
	return ends
}
