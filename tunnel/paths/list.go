package paths

import (
	"slices"
	"time"
)

const (
	// maxPaths bounds the pairs of a peer, whatever the network says.
	maxPaths = 16
	// maxOurs bounds those that the host offers, so that there is room for where the
	// peer comes from.
	maxOurs = 12
)

// A list holds the paths to a peer, at most maxPaths, those of the lowest cost
// first.
type list []*path

// find returns the path of a pair, nil if there is none.
func (l list) find(p Pair) *path {
	for _, q := range l {
		if q.Pair == p {
			return q
		}
	}
	return nil
}

// match returns the path by which a packet came. Routes may be asymmetric: a
// packet that comes by another interface than ours leave by is no other place, if
// its addresses are known.
func (l list) match(from Pair) *path {
	if p := l.find(from); p != nil {
		return p
	}
	for _, q := range l {
		if q.sameEnds(from) {
			return q
		}
	}
	return nil
}

// heardCost is the cost of a pair that the host does not offer: that of its
// interface, or its local address, after all endpoints.
func (l list) heardCost(from Pair) Cost {
	for _, q := range l {
		if q.ours && (q.Interface == from.Interface || q.Local == from.Local) {
			return Cost{q.cost.Uplink, heardEndpoint}
		}
	}
	return Cost{0, heardEndpoint}
}

// insert adds a path in its place.
func (l *list) insert(p *path) {
	i, _ := slices.BinarySearchFunc(*l, p, func(a, b *path) int {
		if a.cost.compare(b.cost) <= 0 {
			return -1
		}
		return 1
	})
	*l = slices.Insert(*l, i, p)
}

// remove takes out the paths for which gone is true.
func (l *list) remove(gone func(*path) bool) { *l = slices.DeleteFunc(*l, gone) }

// bury takes out ghosts.
func (l *list) bury(inUse *path, now time.Time) {
	l.remove(func(p *path) bool { return p != inUse && p.ghost(now) })
}

// makeRoom takes out ghosts, then what is worth least, until another path has
// room. It reports whether there is room.
func (l *list) makeRoom(inUse *path, now time.Time) bool {
	l.bury(inUse, now)
	for len(*l) >= maxPaths {
		if !l.dropWorst(inUse) {
			return false
		}
	}
	return true
}

// dropWorst takes out one path, of those that the host does not offer and that
// are not in use: first those that were never proved, then the one that was not
// heard for longest. It reports whether there was any.
func (l *list) dropWorst(inUse *path) bool {
	var worst *path
	for _, p := range *l {
		if !p.ours && p != inUse && (worst == nil || p.worthLess(worst)) {
			worst = p
		}
	}
	l.remove(func(p *path) bool { return p == worst })
	return worst != nil
}

func (p *path) worthLess(than *path) bool {
	if a, b := p.confirmed.IsZero(), than.confirmed.IsZero(); a != b {
		return a
	}
	return p.heard.Before(than.heard)
}
