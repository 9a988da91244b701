package tunnel

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"time"

	"fathom/crypto"
	"fathom/esp"
)

// handshaker runs the handshakes with all peers: messages and the time go in,
// outcomes come out. It sends nothing, logs nothing and reads no clock; the
// controller acts on the outcomes. It belongs to the control goroutine, except
// for recognizes.
type handshaker struct {
	private   crypto.PrivateKey
	public    crypto.PublicKey
	suites    []uint16      // in order of preference
	newSPI    func() uint32 // under which nothing receives
	random    io.Reader
	responder *crypto.Responder
	load      handshakeLoad
	peers     map[crypto.PublicKey]*peer
	// initiators finds the peer of an outstanding initiation by its handshake id.
	initiators map[uint32]*peer
}

// outcome is the result of a message, or of an initiation that was due.
type outcome struct {
	// peer is whom it concerns, nil if that is not known.
	peer *peer
	// datagram is to be sent to the endpoint to; nil: nothing.
	datagram []byte
	to       netip.AddrPort
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
	errUnknownID    = errors.New("answer to nothing that is outstanding")
	errCookieWanted = errors.New("under load: asked for a cookie")
)

// complainAfter is how many attempts come to nothing before that is worth a warning.
const complainAfter = 5

func newHandshaker(private crypto.PrivateKey, public crypto.PublicKey, suites []uint16, newSPI func() uint32, peers []*peer, random io.Reader) (*handshaker, error) {
	responder, err := crypto.NewResponder(private, random)
	if err != nil {
		return nil, fmt.Errorf("handshake: %w", err)
	}
	h := &handshaker{
		private: private, public: public, suites: suites, newSPI: newSPI, random: random, responder: responder,
		peers: make(map[crypto.PublicKey]*peer), initiators: make(map[uint32]*peer),
	}
	for _, p := range peers {
		h.peers[p.public] = p
	}
	return h, nil
}

// recognizes reports whether a message is worth handling: well formed, and from
// a sender that knows our public key. Any goroutine may ask.
func (h *handshaker) recognizes(message []byte) bool { return h.responder.Recognizes(message) }

// offer returns this end's part in a handshake for a pair of the given generation.
// Each offer has an SPI of its own.
func (h *handshaker) offer(generation uint64) crypto.Offer {
	return crypto.Offer{SPI: h.newSPI(), Suites: h.suites, Generation: generation}
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
	datagram, initiator, err := h.initiation(p, generation, now)
	if err != nil {
		p.initiations.postpone(now, wait)
		return outcome{peer: p, err: &warning{what: "cannot make a handshake", cause: err}}
	}
	h.initiators[initiator.ID()] = p
	h.forget(p.initiations.sent(initiation{initiator, to, now, generation}, wait))
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

func (h *handshaker) initiation(p *peer, generation uint64, now time.Time) (datagram []byte, i *crypto.Initiator, err error) {
	i, err = crypto.NewInitiator(h.private, p.public, p.preshared, h.random)
	if err != nil {
		return nil, nil, err
	}
	i.Return(p.challenge, now)
	p.challenge = crypto.Challenge{}
	datagram, err = i.Initiation(esp.AppendMarker(nil), h.offer(generation), p.initiations.cookie, now)
	return datagram, i, err
}

// forget voids the answers to initiations.
func (h *handshaker) forget(list []initiation) {
	for _, i := range list {
		delete(h.initiators, i.initiator.ID())
	}
}

// done ends the exchange with a peer: a pair is in use.
func (h *handshaker) done(p *peer) {
	p.challenge = crypto.Challenge{}
	p.outage.end()
	h.forget(p.initiations.done())
}

// handle takes in a message, without the non-ESP marker, that is recognized.
func (h *handshaker) handle(message []byte, from netip.AddrPort, now time.Time) outcome {
	kind, err := crypto.MessageType(message)
	if err != nil {
		return outcome{err: err}
	}
	if kind == crypto.Initiation {
		return h.handleInitiation(message, from, now)
	}
	p, i, err := h.answered(message)
	if err != nil {
		return outcome{err: err}
	}
	if kind == crypto.CookieReply {
		cookie, err := i.initiator.ConsumeCookieReply(message)
		if err == nil {
			p.initiations.cookie = cookie
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
	p := h.initiators[id]
	if p == nil {
		return nil, initiation{}, errUnknownID
	}
	i, ok := p.initiations.find(id)
	if !ok {
		return nil, initiation{}, errUnknownID
	}
	return p, i, nil
}

func (h *handshaker) handleInitiation(message []byte, from netip.AddrPort, now time.Time) outcome {
	pending, err := h.responder.Open(message, from, h.load.high(now), now)
	if errors.Is(err, crypto.ErrCookieRequired) {
		reply, err := h.responder.CookieReply(esp.AppendMarker(nil), message, from, now)
		if err != nil {
			return outcome{err: err}
		}
		return outcome{datagram: reply, to: from, err: errCookieWanted}
	} else if err != nil {
		return outcome{err: err}
	}
	p := h.peers[pending.Remote()]
	if p == nil {
		return outcome{err: &warning{
			what:    "handshake from a stranger",
			hint:    "to admit it, add a [[peer]] with this public_key",
			details: []any{"from", from, "public_key", pending.Remote()},
		}}
	}
	doubt, err := h.responder.Accept(&p.replays, pending, now)
	if errors.Is(err, crypto.ErrChallengeRequired) {
		return h.challenge(message, pending, doubt, from, now)
	} else if err != nil {
		return outcome{peer: p, err: err}
	}
	offer := h.offer(p.sas.next(max(pending.Generation(), p.initiations.above())))
	response, keys, err := pending.Respond(esp.AppendMarker(nil), p.preshared, offer)
	if errors.Is(err, crypto.ErrNoCommonSuite) {
		err = &warning{what: "no cipher in common", cause: err, hint: "compare tunnel.ciphers of both ends"}
	}
	if err != nil {
		return outcome{peer: p, err: err}
	}
	pair, err := h.pair(p, keys, false, now)
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
		}}
	}
	pair, err := h.pair(p, keys, true, now)
	if err != nil {
		return outcome{peer: p, err: err}
	}
	pair.rtt = now.Sub(i.sent)
	h.done(p)
	return outcome{peer: p, pair: pair, keys: keys}
}

// pair makes the SAs of a handshake and gives them their rank.
func (h *handshaker) pair(p *peer, keys crypto.Keys, initiator bool, now time.Time) (*saPair, error) {
	if keys.Generation == 0 { // a peer of an older version, which replaces any pair by a younger one
		keys.Generation = p.sas.next(0)
	}
	pair, err := newSAPair(p, keys, initiator, now)
	if err != nil {
		return nil, err
	}
	pair.rank.greater = initiator == (h.public.Compare(p.public) > 0)
	return pair, nil
}

// handshakeLoad counts initiations and tells whether there are too many: then
// senders must prove their addresses first.
type handshakeLoad struct {
	second time.Time
	count  int
}

// maxInitiations is how many initiations a second are answered without a
// cookie.
const maxInitiations = 50

// high counts one initiation and reports whether there are too many.
func (l *handshakeLoad) high(now time.Time) bool {
	if now.Sub(l.second) >= time.Second {
		l.second, l.count = now, 0
	}
	l.count++
	return l.count > maxInitiations
}
