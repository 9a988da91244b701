package host

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"
)

// Restore compares the host with the wanted state and mends the differences, within
// its back-off. It returns reports to log, and when to call it again even if
// nothing changes (zero: never). It costs a few requests to the kernel. Those that
// grow with the host's routes are made only if no event has told what has changed;
// they come after the guards and the rules, and take a bounded share of a CPU.
func (l *Link) Restore(now time.Time) (told []Repair, next time.Time) {
	for remade := true; remade; {
		l.doubt.add(l.wanted.takeDoubt())
		err := l.look()
		var later time.Time
		if l.doubt.all || l.doubt.device {
			urgent, _, _ := l.mend(now, Kind.keepsIn)
			told = append(told, urgent...)
			if later = l.free; !later.After(now) {
				later, err = time.Time{}, errors.Join(err, l.lookAtRoutes(now))
			}
		}
		var mended []Repair
		mended, next, remade = l.mend(now, func(Kind) bool { return true })
		told = append(told, mended...)
		if err != nil {
			later = now.Add(firstRest)
			if !l.blind {
				told = append(told, Repair{What: "what the tunnel has on the host", Err: err})
			}
		}
		l.blind = err != nil
		next = earlier(next, later)
	}
	l.wanted.set(func() { l.wanted.displaced = len(l.displaced) > 0 })
	return told, next
}

// mend puts right what is due of some kinds. remade says that the interface is a
// new one, about which nothing is known yet.
func (l *Link) mend(now time.Time, of func(Kind) bool) (told []Repair, next time.Time, remade bool) {
	due, next := l.plan(l.wanted.amiss(&l.seen), now)
	for _, i := range due {
		if !of(i.kind) {
			continue
		}
		err := l.put(i)
		switch {
		case errors.Is(err, errRight):
			l.seen.mended(i, &l.wanted)
			l.backoffs[i].right()
		case errors.Is(err, errElsewhere):
			if route := l.displacing(i.prefix); l.displace(i.prefix, route) {
				told = append(told, Repair{What: i.String(), Displaced: route})
			}
			next = earlier(next, now.Add(maxRest))
		default:
			if repair, tell := l.outcome(i, err, now); tell {
				told = append(told, repair)
			}
			if err != nil {
				next = earlier(next, now.Add(l.backoffs[i].rest))
				continue
			}
			l.seen.mended(i, &l.wanted)
			remade = remade || i.kind == KindDevice
		}
	}
	return told, next, remade
}

// earlier returns the earlier of two times, of which zero is never.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// errRight: the thing is as it is wanted already.
var errRight = errors.New("it is right already")

// put puts one thing right.
func (l *Link) put(i item) error {
	switch i.kind {
	case KindGuard:
		return l.applyGuard(i)
	case KindRule:
		return l.applyRule(i)
	case KindDevice:
		return l.remake()
	case KindMTU:
		return l.applyMTU()
	case KindUp:
		return l.applyUp()
	case KindAddress:
		return l.applyAddress(i.prefix)
	}
	route, _ := l.wanted.route(i.prefix)
	return l.applyRoute(route, false)
}

// remake makes a deleted interface again.
func (l *Link) remake() error {
	if l.config.Remake == nil {
		return fmt.Errorf("%s: %w", l.name, ErrNoDevice)
	}
	if err := l.config.Remake(); err != nil {
		return err
	}
	clear(l.seen.routes)
	return l.find()
}

// displacing describes the route that is in place of ours.
func (l *Link) displacing(prefix netip.Prefix) string {
	words := []string{prefix.String()}
	found, err := l.inPlace(prefix)
	if err != nil || found == nil {
		return prefix.String()
	}
	if found.Gw != nil {
		words = append(words, "via", found.Gw.String())
	}
	if link, err := l.handle.LinkByIndex(found.LinkIndex); err == nil {
		words = append(words, "dev", link.Attrs().Name)
	}
	return strings.Join(words, " ")
}
