package tunnel

import (
	"net/netip"
	"sync/atomic"
	"time"

	"fathom/crypto"
)

// gate judges handshake messages where they arrive, before they cost more than a
// hash. A message that it refuses takes no place in a queue from others, and costs no
// allocation, unless it bears a false cookie. Any goroutine may use it.
//
//	answer ─▶ to an initiation of ours? ─▶ MAC1 ─▶ rate of its peer
//	initiation ─▶ its source over its rate? ─▶ MAC1 ─▶ few of late? ──────────▶ opened
//	                                              └▶ cookie? ─▶ rate of its source, of all ─┘
//	                                                    └▶ cookie reply
//
// Only a message with a cookie uses up some of the rate of its source, so nobody can
// use up that of another address. One that has used it up is refused before its
// messages cost a hash, or a cookie to others.
type gate struct {
	responder  *atomic.Pointer[crypto.Responder]
	initiators *initiators
	places     *places
	load       handshakeLoad
	sources    *sources
	// strange is the rate of all sources where no peer is: whoever holds many
	// addresses must not have us open initiations all the time.
	strange limit
	// cookies is the rate of cookie replies.
	cookies limit
}

const (
	strangeEvery = time.Second / 2000
	strangeBurst = 1000
	cookieEvery  = time.Second / 25000
	cookieBurst  = 256
	// answerEvery and answerBurst are the rate of answers to our initiations to one
	// peer, cookie replies by themselves. Only those who see our initiations can forge
	// them, and all but cookie replies only those who know our public key, too.
	answerEvery = 50 * time.Millisecond
	answerBurst = 8
)

// verdict is what becomes of a handshake message.
type verdict uint8

const (
	foreign   verdict = iota // of another version
	refused                  // malformed, or from a sender that does not know our key, or an answer to nothing
	excessive                // more than its sender may send
	unproved                 // an initiation whose sender must prove its address: it gets a cookie reply
	admitted                 // an initiation to be opened
	answered                 // an answer to an initiation of ours
)

func newGate(r *atomic.Pointer[crypto.Responder], i *initiators, p *places) *gate {
	return &gate{
		responder: r, initiators: i, places: p, load: newHandshakeLoad(), sources: newSources(),
		strange: limit{interval: strangeEvery, burst: strangeBurst},
		cookies: limit{interval: cookieEvery, burst: cookieBurst},
	}
}

// judge decides on a message, without the non-ESP marker.
func (g *gate) judge(message []byte, from netip.AddrPort, now time.Time) verdict {
	kind, err := crypto.MessageType(message)
	if err == crypto.ErrVersion {
		return foreign
	} else if err != nil {
		return refused
	} else if kind == crypto.Initiation {
		return g.judgeInitiation(message, from, now)
	}
	id, _ := crypto.ReceiverID(message)
	p := g.initiators.find(id)
	if p == nil || !g.responder.Load().Recognizes(message) {
		return refused
	}
	rate := &p.answers
	if kind == crypto.CookieReply {
		rate = &p.cookieReplies // which bear no MAC1: it takes less to forge them
	}
	if !rate.allow(now) {
		return excessive
	}
	return answered
}

func (g *gate) judgeInitiation(message []byte, from netip.AddrPort, now time.Time) verdict {
	switch {
	case g.sources.drained(from.Addr(), now):
		return excessive
	case !g.responder.Load().Recognizes(message):
		return refused
	case !g.load.high(now):
		return admitted
	case !g.responder.Load().Proves(message, from, now):
		if g.cookies.allow(now) {
			return unproved
		}
		return excessive
	case !g.sources.allow(from.Addr(), now):
		return excessive
	case g.places.at(from) == nil && !g.strange.allow(now):
		return excessive
	}
	return admitted
}
