package tunnel

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"sync/atomic"
	"time"

	"fathom/crypto"
	"fathom/esp"
	"fathom/tunnel/status"
)

// handshaker runs the handshakes with all peers: messages and the time go in,
// outcomes come out. It sends nothing, logs nothing and reads no clock; the
// controller acts on the outcomes. It belongs to the control goroutine; its
// responder and its initiators are shared with the gate and the opener.
type handshaker struct {
	private   crypto.PrivateKey
	public    crypto.PublicKey
	suites    []uint16      // in order of preference
	newSPI    func() uint32 // under which nothing receives
	random    io.Reader
	responder *atomic.Pointer[crypto.Responder] // replaced with the private key
	peers     map[crypto.PublicKey]*peer        // by each of their keys
	// initiators are those of the outstanding initiations.
	initiators initiators
}

// outcome is the result of a message, or of an initiation that was due.
type outcome struct {
	// peer is whom it concerns, nil if that is not known.
	peer *peer
	// datagram is to be sent to the endpoint to; nil: nothing.
	datagram []byte
	to       netip.AddrPort
	// by is the second port if the datagram leaves there, nil: the first.
	by *trial
	// pair is the SA pair that was made of keys, nil: none.
	pair *saPair
	keys crypto.Keys
	// notice is what the operator should hear of though all goes well; nil: nothing.
	notice *warning
	// err says why a message, or an initiation, came to nothing. It is a *warning
	// if the operator should hear of it.
	err error
}

var (
	errUnknownID = errors.New("answer to nothing that is outstanding")
	errOldKey    = errors.New("an initiation to the private key before")
	errTooOften  = errors.New("the peer sends initiations too often")
)

// complainAfter is how many attempts come to nothing before that is worth a warning.
const complainAfter = 5

func newHandshaker(private crypto.PrivateKey, public crypto.PublicKey, suites []uint16, newSPI func() uint32, peers []*peer, random io.Reader) (*handshaker, error) {
	responder, err := crypto.NewResponder(private, random)
	if err != nil {
		return nil, fmt.Errorf("handshake: %w", err)
	}
	h := &handshaker{
		private: private, public: public, suites: suites, newSPI: newSPI, random: random,
		responder: new(atomic.Pointer[crypto.Responder]),
	}
	h.responder.Store(responder)
	h.know(peers)
	return h, nil
}

// offer returns this end's part in a handshake for a pair of the given generation.
// Each offer has an SPI of its own.
func (h *handshaker) offer(p *peer, generation uint64) crypto.Offer {
	return crypto.Offer{SPI: h.newSPI(), Suites: h.suites, Features: p.features(), Generation: generation}
}

// initiate makes the initiation that is due. An invalid endpoint means that the
// peer's is unknown; the attempt then counts like one without an answer.
func (h *handshaker) initiate(p *peer, to netip.AddrPort, now time.Time) outcome {
	wait := p.initiationWait(h.random)
	if !to.IsValid() {
		p.initiations.postpone(now, wait)
		return outcome{peer: p}
	}
	generation := p.sas.next(0)
	remote := p.keyToCall()
	datagram, initiator, err := h.initiation(p, remote, to, generation, now)
	if err != nil {
		p.initiations.postpone(now, wait)
		return outcome{peer: p, err: &warning{what: "cannot make a handshake", cause: err}}
	}
	h.initiators.add(initiator.ID(), p)
	h.forget(p.initiations.sent(initiation{initiator, to, now, generation, remote}, wait))
	o := outcome{peer: p, datagram: datagram, to: to}
	if n := p.initiations.attempts; n >= complainAfter && p.outage.tell(now) {
		o.err = &warning{
			what:    "no answer to handshake",
			hint:    "is the peer up, the UDP port open, and this host's public key in its configuration?",
			details: []any{"endpoint", to, "attempts", n},
			rare:    true,
		}
	}
	return o
}

func (h *handshaker) initiation(p *peer, remote crypto.PublicKey, to netip.AddrPort, generation uint64, now time.Time) (datagram []byte, i *crypto.Initiator, err error) {
	i, err = crypto.NewInitiator(h.private, remote, p.preshared, h.random)
	if err != nil {
		return nil, nil, err
	}
	i.Return(p.challenge, now)
	p.challenge = crypto.Challenge{}
	datagram, err = i.Initiation(esp.AppendMarker(nil), h.offer(p, generation), p.initiations.cookies.at(to), now)
	return datagram, i, err
}

// forget voids the answers to initiations.
func (h *handshaker) forget(list []initiation) {
	for _, i := range list {
		h.initiators.remove(i.initiator.ID())
	}
}

// done ends the exchange with a peer: a pair is in use.
func (h *handshaker) done(p *peer) {
	p.challenge = crypto.Challenge{}
	p.outage.end()
	h.forget(p.initiations.done())
}

// handleAnswer takes in a response or a cookie reply, without the non-ESP marker,
// that the gate has let through.
func (h *handshaker) handleAnswer(message []byte, from netip.AddrPort, now time.Time) outcome {
	kind, err := crypto.MessageType(message)
	if err != nil {
		return outcome{err: err}
	}
	p, i, err := h.answered(message)
	if err != nil {
		return outcome{err: err}
	}
	if kind == crypto.CookieReply {
		cookie, err := i.initiator.ConsumeCookieReply(message)
		if err == nil && p.initiations.takeCookie(i.to, cookie, now) {
			p.unanswered = max(p.unanswered-1, 0) // by the same port: the cookie is good for no other
		}
		return outcome{peer: p, err: err}
	}
	if kind == crypto.FreshnessChallenge {
		return h.handleChallenge(p, i, message, now)
	}
	return h.handleResponse(p, i, message, from, now)
}

// answered finds the initiation of ours that a message answers.
func (h *handshaker) answered(message []byte) (*peer, initiation, error) {
	id, err := crypto.ReceiverID(message)
	if err != nil {
		return nil, initiation{}, err
	}
	p := h.initiators.find(id)
	if p == nil {
		return nil, initiation{}, errUnknownID
	}
	i, ok := p.initiations.find(id)
	if !ok {
		return nil, initiation{}, errUnknownID
	}
	return p, i, nil
}

// calledEvery and calledBurst are the rate at which the initiations of a peer are
// answered, wherever they come from: what an answer costs is more than what opening
// one does. Those that are recorded and sent again do not count.
const (
	calledEvery = 50 * time.Millisecond
	calledBurst = 10
)

// handleInitiation answers an initiation that has been opened.
func (h *handshaker) handleInitiation(pending *crypto.Pending, from netip.AddrPort, now time.Time) outcome {
	p := h.peers[pending.Remote()]
	if p == nil {
		return outcome{err: &warning{
			what:    "handshake from a stranger",
			hint:    "to admit it, add a [[peer]] with this public_key",
			details: []any{"from", from, "public_key", pending.Remote()},
		}}
	}
	if pending.Local() != h.public {
		return outcome{peer: p, err: errOldKey}
	}
	doubt, err := h.responder.Load().Accept(&p.replays, pending, now)
	if errors.Is(err, crypto.ErrChallengeRequired) {
		return h.challenge(pending, doubt, from, now)
	} else if err != nil {
		return outcome{peer: p, err: err}
	}
	if !p.called.allow(now) {
		return outcome{peer: p, err: errTooOften}
	}
	offer := h.offer(p, p.sas.next(max(pending.Generation(), p.initiations.above())))
	response, keys, err := pending.Respond(esp.AppendMarker(nil), p.preshared, offer)
	if errors.Is(err, crypto.ErrNoCommonSuite) {
		err = &warning{what: "no cipher in common", reason: status.ReasonNoCipher, words: "no cipher in common: compare tunnel.ciphers of both ends", cause: err, hint: "compare tunnel.ciphers of both ends"}
	}
	if err != nil {
		return outcome{peer: p, err: err}
	}
	pair, err := h.pair(p, pending.Remote(), keys, false, now)
	if err != nil {
		return outcome{peer: p, err: err}
	}
	pair.answered = from
	p.initiations.yield(now.Add(crypto.RetryAfter(0, h.random)))
	return outcome{peer: p, datagram: response, to: from, pair: pair, keys: keys, notice: p.clocks.theirs.notice(doubt, now)}
}

func (h *handshaker) handleResponse(p *peer, i initiation, message []byte, from netip.AddrPort, now time.Time) outcome {
	keys, err := i.initiator.Finish(message)
	if err != nil {
		return outcome{peer: p, err: &warning{
			what:    "peer's answer is not authentic",
			hint:    "do both ends have the same preshared_key_file contents, and does public_key name this peer?",
			cause:   err,
			details: []any{"from", from},
			reason:  status.ReasonPresharedKey,
			words:   fmt.Sprintf("the preshared keys differ: the answer of %v is not authentic", from),
		}}
	}
	pair, err := h.pair(p, i.remote, keys, true, now)
	if err != nil {
		return outcome{peer: p, err: err}
	}
	pair.rtt = now.Sub(i.sent)
	h.done(p)
	return outcome{peer: p, pair: pair, keys: keys}
}

// pair makes the SAs of a handshake with the peer's key remote and gives them their rank.
func (h *handshaker) pair(p *peer, remote crypto.PublicKey, keys crypto.Keys, initiator bool, now time.Time) (*saPair, error) {
	if keys.Generation == 0 { // a peer of an older version, which replaces any pair by a younger one
		keys.Generation = p.sas.next(0)
	}
	pair, err := newSAPair(p, keys, initiator, now)
	if err != nil {
		return nil, err
	}
	pair.features = keys.PeerFeatures
	pair.decides = p.decides && pair.features&featurePaths != 0
	pair.own, pair.remote, pair.superior = h.public, remote, h.public.Compare(remote) > 0
	pair.rank.greater = initiator == pair.superior
	return pair, nil
}
