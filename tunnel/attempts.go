package tunnel

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"fathom/tunnel/status"
)

// attempts is what is known of the attempts to reach a peer that is not up: where the last
// initiation went, and why they came to nothing. The zero value knows of none; owned by
// the control goroutine; pure.
type attempts struct {
	to      netip.AddrPort // of the last initiation
	number  int            // of initiations
	pending bool           // the last one has not come to anything yet
	unused  int            // answers of ours that the peer has made no use of
	reason  status.Reason
	detail  string
	told    time.Time // when a reason other than silence was told last
}

// toldFor is how long a reason that was told outranks silence. A peer that is called in
// vain calls, or is called, several times within that.
const toldFor = time.Minute

// tries takes note of an initiation. The one before it has had no answer, unless another
// reason is known.
func (a *attempts) tries(to netip.AddrPort, now time.Time) {
	a.silent(now)
	a.to, a.pending = to, true
	a.number++
}

// silent takes note that the last initiation was not answered.
func (a *attempts) silent(now time.Time) {
	if !a.pending {
		return
	}
	a.pending = false
	if a.told.IsZero() || now.Sub(a.told) >= toldFor {
		a.reason, a.told = status.ReasonNoAnswer, time.Time{}
		a.detail = fmt.Sprintf("no answer from %v: the peer is down, its UDP port is closed, or it does not know this host's public key", a.to)
	}
}

// fails takes note of a reason other than silence.
func (a *attempts) fails(reason status.Reason, detail string, now time.Time) {
	a.reason, a.detail, a.told, a.pending = reason, detail, now, false
}

// failsWith takes note of an error that gives a reason.
func (a *attempts) failsWith(err error, now time.Time) {
	var w *warning
	if errors.As(err, &w) && w.reason != "" {
		detail := w.words
		if detail == "" {
			detail = w.Error()
		}
		a.fails(w.reason, detail, now)
	}
}

// answers takes note that the peer's initiation was answered. It is normal that it has not
// been heard of since, unless that happens again and again.
func (a *attempts) answers(now time.Time) {
	if a.unused++; a.unused > 2 {
		a.fails(status.ReasonUnused, "the peer calls and does not use the keys that it gets: the preshared keys may differ, or the answers are lost", now)
	}
}

// end takes note that the peer has been reached.
func (a *attempts) end() { *a = attempts{} }

// noName is the reason where a name does not resolve.
func noName(host string, err error) string {
	var of *net.DNSError
	if errors.As(err, &of) {
		return fmt.Sprintf("%s does not resolve: %s", host, of.Err)
	}
	return fmt.Sprintf("%s does not resolve: %v", host, err)
}

// attemptStatus fills in what `fathom status` shows, nil for a peer that is up.
func (p *peer) attemptStatus(now time.Time) *status.Attempt {
	if p.state() == status.PeerEstablished {
		return nil
	}
	a := &p.attempts
	s := &status.Attempt{Number: a.number, Reason: a.reason, Detail: a.detail}
	if a.to.IsValid() {
		s.Endpoint = a.to.String()
	}
	if p.initiations.wanted {
		next := onTheWall(p.initiations.next, now)
		s.Next = &next
	}
	switch {
	case p.noWay != nil:
		s.Reason, s.Detail = status.ReasonNoWay, p.noWay.Error()
	case s.Reason == "" && p.state() == status.PeerIdle:
		s.Reason, s.Detail = status.ReasonWaiting, "no endpoint is configured: the peer has to call"
	}
	return s
}

// stranger is the last caller whose public key no peer has. The zero value is none; owned
// by the control goroutine.
type stranger struct {
	key   string
	from  netip.AddrPort
	at    time.Time
	count uint64
}

// calls takes note of a stranger's initiation.
func (s *stranger) calls(key string, from netip.AddrPort, now time.Time) {
	s.key, s.from, s.at = key, from, now
	s.count++
}

// status fills in what `fathom status` shows, nil if no stranger has called.
func (s *stranger) status(now time.Time) *status.Stranger {
	if s.count == 0 {
		return nil
	}
	return &status.Stranger{PublicKey: s.key, From: s.from.String(), At: onTheWall(s.at, now), Count: s.count}
}
