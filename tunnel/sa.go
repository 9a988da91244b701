package tunnel

import (
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"fathom/crypto"
	"fathom/esp"
	"fathom/pmtud"
	"fathom/tunnel/inner"
)

// inboundSA is the receiving half of a pair. The receive loops find it under its
// SPI.
type inboundSA struct {
	spi  uint32
	peer *peer
	// used is set once an authenticated packet has arrived on this SA, which
	// proves that the peer has both SAs of the pair.
	used atomic.Bool
	// mu serialises the receive loops: a peer that moves may have packets on
	// two sockets. It is taken once a batch and is otherwise uncontended.
	mu        sync.Mutex
	in        *esp.Inbound      // guarded by mu
	fragments inner.Reassembler // guarded by mu
	// reported belongs to the control goroutine.
	reported reported
}

// outboundSA is the sending half of a pair, with the sizes of what was sent on
// it. Any goroutine may seal with it.
type outboundSA struct {
	*esp.Outbound
	sizes pmtud.SentLog
}

// saPair is the outcome of one handshake: one SA for each direction.
type saPair struct {
	inbound     *inboundSA
	outbound    *outboundSA
	initiator   bool // this end sent the initiation
	established time.Time
	// answered is where the response went if this end sent it: the first packet
	// on the pair proves that the peer receives there.
	answered netip.AddrPort
}

// newSAPair makes the SAs of a completed handshake.
func newSAPair(p *peer, keys crypto.Keys, initiator bool, now time.Time) (*saPair, error) {
	out, err := esp.NewOutbound(keys.SendSPI, esp.Suite(keys.Suite), keys.Send[:])
	if err != nil {
		return nil, fmt.Errorf("outbound SA: %w", err)
	}
	in, err := esp.NewInbound(keys.ReceiveSPI, esp.Suite(keys.Suite), keys.Receive[:])
	if err != nil {
		return nil, fmt.Errorf("inbound SA: %w", err)
	}
	inbound := &inboundSA{spi: keys.ReceiveSPI, peer: p, in: in}
	// Add is called under inbound.mu, which guards the window too.
	inbound.fragments.Arrived = func(seq uint32) bool { return in.Window().Check(seq) == esp.ErrReplay }
	return &saPair{
		inbound:     inbound,
		outbound:    &outboundSA{Outbound: out},
		initiator:   initiator,
		established: now,
	}, nil
}

// rekeyAt is when the pair is to be replaced, as far as can be known now: sooner
// if it sends more packets than it may. The end that has initiated the pair
// comes first, the other only when that is overdue.
func (p *saPair) rekeyAt(l crypto.Lifetime) time.Time {
	age := l.RekeyAge
	if p.outbound.Packets() >= l.RekeyPackets {
		age = rekeyPause
	}
	if !p.initiator {
		age += l.RekeyAge / 8
	}
	return p.established.Add(age)
}

const (
	// retireGrace is how long replaced SAs still receive after the peer has begun
	// to use the new ones: packets may be under way or queued for that long.
	retireGrace = 10 * time.Second
	// maxPending bounds the answered handshakes that wait for their first
	// packet. More than one is normal where the round trip takes longer than
	// the initiator's patience.
	maxPending = 3
	// maxRetiring bounds the replaced pairs that still receive.
	maxRetiring = 32
)

// saSet holds the SA pairs of one peer and knows which of them to send on:
//
//	handshake we began, answered  ───────────────────────────▶ current
//	handshake we answered ──▶ pending ── peer's first packet ─▶ current
//	current, when replaced ──▶ retiring ── retireGrace after
//	                                       the peer used the new one ─▶ gone
//
// A pair is never replaced before its successor is usable in the direction
// in question, so a rekey loses no packet ("make before break"). The zero
// value is empty. Owned by the control goroutine.
type saSet struct {
	current  *saPair
	pending  []*saPair // oldest first
	retiring []retiringPair
}

type retiringPair struct {
	pair  *saPair
	until time.Time
}

// initiated installs a pair whose handshake this end began. The peer installed the
// pair before it sent the answer, so we may send on it at once. The former pair
// must receive for as long as the peer may still send on it, at most until expiry.
func (s *saSet) initiated(p *saPair, expiry time.Time) {
	s.retireCurrent(expiry)
	s.current = p
}

// answered installs a pair whose handshake this end has answered. The pair may
// receive, but nothing is sent on it before the peer has proved to have it.
func (s *saSet) answered(p *saPair, now time.Time) {
	if len(s.pending) == maxPending {
		s.retire(s.pending[0], now)
		s.pending = s.pending[1:]
	}
	s.pending = append(s.pending, p)
}

// used takes note of the first authenticated packet on p. It reports whether
// this made p the current pair.
func (s *saSet) used(p *saPair, now time.Time) (switched bool) {
	for i, pending := range s.pending {
		if pending != p {
			continue
		}
		for _, older := range s.pending[:i] {
			s.retire(older, now)
		}
		s.pending = s.pending[i+1:]
		s.retireCurrent(now.Add(retireGrace))
		s.current = p
		switched = true
		break
	}
	if p == s.current {
		for i := range s.retiring {
			if end := now.Add(retireGrace); s.retiring[i].until.After(end) {
				s.retiring[i].until = end
			}
		}
	}
	return switched
}

// expire takes out the pairs whose time is over and returns them. A pair is
// dead at maxAge, whatever its place.
func (s *saSet) expire(now time.Time, maxAge time.Duration) (gone []*saPair) {
	old := func(p *saPair) bool { return now.Sub(p.established) >= maxAge }
	if s.current != nil && old(s.current) {
		gone = append(gone, s.current)
		s.current = nil
	}
	s.pending = slices.DeleteFunc(s.pending, func(p *saPair) bool {
		if old(p) {
			gone = append(gone, p)
		}
		return old(p)
	})
	s.retiring = slices.DeleteFunc(s.retiring, func(r retiringPair) bool {
		over := old(r.pair) || !now.Before(r.until)
		if over {
			gone = append(gone, r.pair)
		}
		return over
	})
	return gone
}

// expiry is when expire has something to take out, zero if never.
func (s *saSet) expiry(maxAge time.Duration) time.Time {
	var first time.Time
	if s.current != nil {
		first = s.current.established.Add(maxAge)
	}
	for _, p := range s.pending {
		first = earliest(first, p.established.Add(maxAge))
	}
	for _, r := range s.retiring {
		first = earliest(first, r.until, r.pair.established.Add(maxAge))
	}
	return first
}

// clear empties the set and returns all that was in it.
func (s *saSet) clear() (gone []*saPair) {
	if s.current != nil {
		gone = append(gone, s.current)
	}
	gone = append(gone, s.pending...)
	for _, r := range s.retiring {
		gone = append(gone, r.pair)
	}
	*s = saSet{}
	return gone
}

// end takes out one pair, whatever its place.
func (s *saSet) end(p *saPair) {
	if s.current == p {
		s.current = nil
	}
	s.pending = slices.DeleteFunc(s.pending, func(other *saPair) bool { return other == p })
	s.retiring = slices.DeleteFunc(s.retiring, func(r retiringPair) bool { return r.pair == p })
}

// find returns the pair that receives on the given SA, nil if it is gone.
func (s *saSet) find(in *inboundSA) *saPair {
	if s.current != nil && s.current.inbound == in {
		return s.current
	}
	for _, p := range s.pending {
		if p.inbound == in {
			return p
		}
	}
	for _, r := range s.retiring {
		if r.pair.inbound == in {
			return r.pair
		}
	}
	return nil
}

func (s *saSet) retireCurrent(until time.Time) {
	if s.current != nil {
		s.retire(s.current, until)
		s.current = nil
	}
}

// retire lets p receive until the given time. Beyond maxRetiring the oldest
// pair ends at once.
func (s *saSet) retire(p *saPair, until time.Time) {
	s.retiring = append(s.retiring, retiringPair{p, until})
	if excess := len(s.retiring) - maxRetiring; excess > 0 {
		for i := range s.retiring[:excess] {
			s.retiring[i].until = s.retiring[i].pair.established
		}
	}
}
