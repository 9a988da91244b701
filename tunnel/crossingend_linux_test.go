package tunnel

import (
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"path/filepath"
	"time"

	"fathom/conf"
	"fathom/crypto"
	"fathom/esp"
	"fathom/tunnel/udp"
)

// crossingEnd is a controller and the network's side of it.
type crossingEnd struct {
	*controller
	w     *crossing
	index int
	key   crypto.PrivateKey
	at    []netip.AddrPort
	peer  *peer
	down  bool
	busy  bool // asks callers for cookies
	seen  map[*inboundSA]*arrived
}

// arrived is what the window of an SA knows.
type arrived struct {
	highest uint64
	numbers map[uint64]bool
}

// boot makes the controller of an end that knows nothing but its configuration.
func (e *crossingEnd) boot() {
	w := e.w
	far := w.ends[1-e.index]
	public, err := far.key.Public()
	if err != nil {
		panic(err)
	}
	c := conf.Config{
		Tunnel: conf.Tunnel{
			Name: "crossing", PrivateKey: conf.SecretKey(e.key), Ciphers: []string{"aes-256-gcm"},
			StatusSocket: filepath.Join(w.dir, "status.sock"), RekeyAfter: w.config.rekeyAfter, RekeyAfterPackets: 1 << 30,
		},
		Peers: []conf.Peer{{Name: fmt.Sprint(1 - e.index), PublicKey: conf.Key(public), PLPMTU: 1400}},
	}
	engine, err := New(&c, Options{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		panic(err)
	}
	s, err := engine.newShared()
	if err != nil {
		panic(err)
	}
	var seed [32]byte
	for i := range seed {
		seed[i] = byte(w.rng.Uint32())
	}
	s.handshaker.random = rand.NewChaCha8(seed)
	e.controller = engine.newController(s, testHost{1500}, 0, nil, e, e, &forwarder{})
	e.peer = e.peers[0]
	e.down = false
	e.seen = make(map[*inboundSA]*arrived)
	if w.config.silent != e.index {
		e.peer.candidates = far.at[:1+w.rng.IntN(2)]
		if w.rng.IntN(2) == 0 { // both ends call, each by another address
			e.peer.candidates = far.at[e.index : e.index+1]
		}
	}
	e.begin(w.now)
	e.busy = w.rng.IntN(2) == 0
	if w.rng.IntN(2) == 0 {
		e.doubtAll()
	}
}

// doubtAll has an end doubt all initiations of the far end: it has accepted one when the
// far end's clock was ahead, which has been set right since.
func (e *crossingEnd) doubtAll() {
	i, err := crypto.NewInitiator(e.w.ends[1-e.index].key, e.handshaker.public, crypto.PresharedKey{}, e.handshaker.random)
	if err != nil {
		panic(err)
	}
	offer := crypto.Offer{SPI: 0x1234, Suites: []uint16{uint16(esp.AES256GCM)}}
	message, err := i.Initiation(nil, offer, crypto.Cookie{}, e.w.now.Add(20*time.Hour))
	if err != nil {
		panic(err)
	}
	pending, err := e.handshaker.responder.Load().Open(message)
	if err != nil {
		panic(err)
	}
	if _, err := e.handshaker.responder.Load().Accept(&e.peer.replays, pending, e.w.now); err != nil {
		panic(err)
	}
}

// restart ends an end, with a farewell or without, and starts it again after a
// while.
func (e *crossingEnd) restart(farewell bool, after time.Duration) {
	w := e.w
	w.restarts++
	w.note("%d restarts, farewell %v", e.index, farewell)
	if farewell {
		e.farewell()
	}
	e.down = true
	w.after(after, func() { w.note("%d is back", e.index); e.boot() })
}

// The methods below are the messageSender of the controller.

func (e *crossingEnd) control(to *session, payload []byte, _ int) error {
	numbers, err := to.sa.Reserve(1)
	if err != nil {
		return err
	}
	e.esp(to, uint64(numbers.Next()), payload)
	return nil
}

func (e *crossingEnd) hop(*session, []byte, int, uint8, variant) (uint32, error) {
	panic("nobody measures hops here")
}

func (e *crossingEnd) probe(to *session, payload []byte, size int, _ variant) error {
	return e.control(to, payload, size)
}

func (e *crossingEnd) plain(datagram []byte, to *udp.Destination) error {
	w := e.w
	w.spoke = w.now
	kind, _ := crypto.MessageType(datagram[esp.MarkerSize:])
	e.send(to, fmt.Sprint(kind), func(far *crossingEnd, from, at netip.AddrPort) {
		w.spoke = w.now
		far.handshake(datagram[esp.MarkerSize:], origin{from: from, local: at.Addr()})
	})
	return nil
}

// handshake does the work of the opener, and of the control goroutine after it. The
// gate lets everything through, but of callers of a busy end those with a cookie alone.
func (e *crossingEnd) handshake(message []byte, by origin) {
	if kind, _ := crypto.MessageType(message); kind != crypto.Initiation {
		e.handleAnswer(message, by, e.w.now)
	} else if e.busy && !e.handshaker.responder.Load().Proves(message, by.from, e.w.now) {
		reply, err := e.handshaker.responder.Load().CookieReply(esp.AppendMarker(nil), message, by.from, e.w.now)
		if err != nil {
			panic(err)
		}
		_ = e.plain(reply, e.answers.to(by))
	} else if pending, err := e.handshaker.responder.Load().Open(message); err == nil {
		e.handleInitiation(pending, by, e.w.now)
	}
}

func (e *crossingEnd) keepalive(*udp.Destination) error { return nil }
func (e *crossingEnd) flush() error                     { return nil }

// data sends one packet, if there is a session.
func (e *crossingEnd) data() {
	to := e.peer.session.Load()
	if e.down || !to.ready() {
		return
	}
	numbers, err := to.sa.Reserve(1)
	if err != nil {
		return
	}
	n := numbers.Next()
	if to.sa.sizes.Record(n, 200, 0, true) {
		e.attend(e.peer, e.w.now)
	}
	e.esp(to, uint64(n), nil)
}

// esp sends a packet on an SA.
func (e *crossingEnd) esp(to *session, number uint64, payload []byte) {
	w, spi, sent := e.w, to.sa.SPI(), e.w.now
	what := "control"
	if payload == nil {
		what = "data"
	}
	e.send(to.path.Destination, fmt.Sprintf("%s on %08x", what, spi), func(far *crossingEnd, from, at netip.AddrPort) {
		far.receive(spi, number, payload, from, at.Addr(), w.now.Sub(sent))
	})
}

// receive does the work of a packet loop.
func (e *crossingEnd) receive(spi uint32, number uint64, payload []byte, from netip.AddrPort, local netip.Addr, took time.Duration) {
	w := e.w
	sa := e.spis.get(spi)
	if sa == nil {
		w.note("%d does not know %08x", e.index, spi)
		if w.restarts == 0 && took < retireGrace/2 {
			w.foreign++
		}
		return
	}
	known := e.seen[sa]
	if known == nil {
		known = &arrived{numbers: make(map[uint64]bool)}
		e.seen[sa] = known
	}
	if known.numbers[number] {
		return // a replay
	}
	known.numbers[number] = true
	newest := number > known.highest
	known.highest = max(known.highest, number)
	p := sa.peer
	p.authentic.Add(1)
	by := origin{from: from, local: local, bytes: 200, newest: newest}
	if to := p.session.Load(); newest && payload == nil && (to == nil || !to.path.Matches(from, local)) {
		e.arrived(p, by, true, w.now)
		e.attend(p, w.now)
	}
	if sa.used.CompareAndSwap(false, true) {
		e.handleFirstUse(sa, w.now)
		e.attend(p, w.now)
	}
	if payload != nil {
		e.handleControl(sa, payload, false, by, w.now)
		e.attend(p, w.now)
	}
}

// send lets the network decide on a packet.
func (e *crossingEnd) send(to *udp.Destination, what string, deliver func(far *crossingEnd, from, at netip.AddrPort)) {
	w, c := e.w, &e.w.config
	from := e.at[0]
	for _, at := range e.at {
		if at.Addr() == to.Local() || !to.Local().IsValid() && at.Addr().As4()[0] == to.Remote().Addr().As4()[0] {
			from = at
		}
	}
	copies, delay := 1, c.trip
	if !w.calm() {
		switch {
		case w.rng.Float64() < c.loss:
			copies = 0
		case w.rng.Float64() < c.repeated:
			copies = 2
		}
	}
	w.note("%d %v > %v %s, %d copies", e.index, from, to.Remote(), what, copies)
	far := w.ends[1-e.index]
	for range copies {
		if !w.calm() && w.rng.Float64() < c.late {
			delay += time.Duration(w.rng.Float64() * c.most * float64(time.Second))
		}
		if at := w.now.Add(delay); at.After(w.lateAt) && !w.calm() {
			w.lateAt = at
		}
		w.after(delay, func() {
			if !far.down {
				w.note("%d receives %s", far.index, what)
				deliver(far, from, to.Remote())
			}
		})
	}
}

// hears reports whether the far end receives what this end sends.
func (e *crossingEnd) hears() bool {
	to := e.peer.session.Load()
	return to.ready() && e.w.ends[1-e.index].spis.get(to.sa.SPI()) != nil
}
