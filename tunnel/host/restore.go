package host

import (
	"maps"
	"net/netip"
	"slices"
	"time"
)

// upkeep is what a Link remembers of what others have done to it.
type upkeep struct {
	backoffs  map[item]*backoff
	repaired  map[Kind]uint64
	displaced map[netip.Prefix]string // routes in place of ours, as text
}

func newUpkeep() upkeep {
	return upkeep{backoffs: make(map[item]*backoff), repaired: make(map[Kind]uint64), displaced: make(map[netip.Prefix]string)}
}

// Condition tells how the host treats what belongs to a Link.
type Condition struct {
	// Repaired counts what was put right.
	Repaired map[Kind]uint64
	// Contested are the things that another program keeps changing.
	Contested []string
	// Displaced are routes that others have put in place of ours, which are left
	// alone.
	Displaced []string
}

// Condition returns the condition of the Link.
func (u *upkeep) Condition(now time.Time) Condition {
	c := Condition{Repaired: maps.Clone(u.repaired)}
	for i, b := range u.backoffs {
		if b.contested(now) {
			c.Contested = append(c.Contested, i.String())
		}
	}
	slices.Sort(c.Contested)
	for _, route := range u.displaced {
		c.Displaced = append(c.Displaced, route)
	}
	slices.Sort(c.Displaced)
	return c
}

// Repair is an attempt to put something right that is worth a line in a log.
type Repair struct {
	What string
	// Err is why it failed, nil if it did not. Of failures in a row only the
	// first is told.
	Err error
	// Contested says that another program keeps changing it, so that this is
	// its last repair to be told, and the next has to wait for so long.
	Contested bool
	Rest      time.Duration
	// Displaced is the route that another program has put in place of ours and
	// that is left alone, as text; empty: none.
	Displaced string
}

// plan returns what of the things that are amiss is due, and when the next is.
func (u *upkeep) plan(amiss []item, now time.Time) (due []item, next time.Time) {
	wrong := make(map[item]bool, len(amiss))
	for _, i := range amiss {
		wrong[i] = true
		b := u.backoffs[i]
		if b == nil {
			b = new(backoff)
			u.backoffs[i] = b
		}
		if at := b.due(now); !at.After(now) {
			due = append(due, i)
		} else if next.IsZero() || at.Before(next) {
			next = at
		}
	}
	for i, b := range u.backoffs {
		if !wrong[i] {
			b.right()
		}
	}
	for prefix := range u.displaced {
		if !wrong[item{kind: KindRoute, prefix: prefix}] {
			delete(u.displaced, prefix)
		}
	}
	return due, next
}

// outcome takes note of an attempt, and returns what to tell about it.
func (u *upkeep) outcome(i item, err error, now time.Time) (r Repair, tell bool) {
	b := u.backoffs[i]
	contested, failed := b.contested(now), b.failed
	b.attempted(now, err != nil, i.kind.mostRest())
	if err == nil {
		u.repaired[i.kind]++
		if i.kind == KindRoute {
			delete(u.displaced, i.prefix)
		}
	}
	r = Repair{What: i.String(), Err: err, Contested: b.contested(now), Rest: b.rest}
	return r, !contested && !(err != nil && failed)
}

// displace takes note of a route in place of ours, and reports whether that is
// new. It is looked at again with the next event.
func (u *upkeep) displace(prefix netip.Prefix, route string) bool {
	*u.backoffs[item{kind: KindRoute, prefix: prefix}] = backoff{}
	old := u.displaced[prefix]
	u.displaced[prefix] = route
	return old != route
}
