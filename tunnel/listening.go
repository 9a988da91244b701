package tunnel

import (
	"log/slog"
	"time"
)

// listening watches whether the host has the address that the sockets are bound to.
// The zero value is that of sockets bound to all addresses. Owned by the control
// goroutine.
type listening struct {
	missing func() bool // asks the host; nil: it need not be asked
	absent  bool        // what it was told last
}

// look asks the host, and reports whether the address has come. A change is told.
func (l *listening) look(log *slog.Logger) (came bool) {
	if l.missing == nil {
		return false
	}
	was := l.absent
	l.absent = l.missing()
	switch {
	case l.absent && !was:
		log.Warn("the host does not have the address of tunnel.listen: no packet comes or goes until it has")
	case was && !l.absent:
		log.Info("the host has the address of tunnel.listen now")
	}
	return was && !l.absent
}

// lookForAddress calls the peers that have waited for the address of our sockets.
func (c *controller) lookForAddress(now time.Time) {
	if !c.listening.look(c.log) {
		return
	}
	for _, p := range c.peers {
		if p.initiations.wanted {
			p.initiations.hurry(now)
			c.agenda.set(&p.appointment, now)
		}
	}
}
