package tunnel

import (
	"net/netip"
	"sync/atomic"
	"time"

	"fathom/conf"
	"fathom/crypto"
	"fathom/tunnel/history"
	"fathom/tunnel/host"
	"fathom/tunnel/paths"
	"fathom/tunnel/status"
	"fathom/tunnel/udp"
)

// peer is the state of one peer. The rules between the fields say which goroutine
// may touch them.
type peer struct {
	// ---- set once, read by all ----

	name    string
	company *udp.Company // of the peers that can be sent data

	// ---- read by the packet loops, replaced by the control goroutine ----

	// session is the snapshot to send by, nil while no endpoint is known, and
	// while the way there is a loop.
	session atomic.Pointer[session]
	// sendSPI is that of the outbound SA that was published last, 0 before.
	sendSPI atomic.Uint32

	// ---- any goroutine ----

	rx, tx    traffic
	authentic atomic.Uint64 // packets whose ICV was right, control messages included
	sent      atomic.Uint64 // control messages sent; tx counts the data
	drops     drops
	surgery   surgery
	waiting   waitingRoom
	outlet    outletQueue
	classes   dataClasses
	// PTBs that quote a packet recently sent to the peer, and all others.
	quotedPTBs, strangePTBs limit
	answers, cookieReplies  limit   // to our initiations
	strays                  limit   // see eventSink.elsewhere
	mailbox                 mailbox // of the control goroutine
	trap                    hopTrap

	// ---- control goroutine only ----

	config    conf.Peer
	keys      []crypto.PublicKey // as configured: see conf.Peer.ComingKey
	public    crypto.PublicKey   // the one of them that it used last
	preshared crypto.PresharedKey
	endpoints []conf.Endpoint // as configured; none: the peer must call us
	allowed   []netip.Prefix
	removed   bool // from the configuration
	leaves    bool // where it is, as soon as it answers at one of other endpoints

	sas            saSet
	path           *path          // where the peer is, nil while that is not known
	paths          *paths.Set     // by which of them to send
	provedAt       netip.AddrPort // where it was last proved to be and heard; invalid: not yet
	ways           []host.Way     // that the host offered last
	chosen         kernelChoice   // see keepAddress
	uplinkNames    uplinkNames    // of those that it ever offered
	decides        bool           // this end has several
	actions        []paths.Action // scratch
	lookedAt       time.Time      // at paths
	moves          limit          // logged
	wayTold        limit          // likewise, of noWay
	noWay          error          // why the host cannot send there, nil: it can
	admitted       knownWays      // empty: the host has changed since
	asked          limit          // the host, for such pairs
	refused        refusals
	foundAt        []netip.AddrPort // see places
	egressStale    bool             // the host has changed since it was asked for the way there
	discovery      *pathDiscovery   // of the path
	standbys       standbys         // those of the others
	recent         recentClasses
	variants       []variant // in which probes leave
	confirmation   confirmationTimer
	unconfirmed    bool      // the PLPMTU is to be confirmed
	probed         int       // how often variants were chosen
	heldUntil      time.Time // see path.heldMTU; zero: nothing is held
	probeRun       *probeRun // nil: none is under way
	probeRuns      uint64    // begun so far
	hopRun         *hopRun   // nil: none is under way
	hopRuns        uint64    // begun so far
	hopService     hopService
	farHops        farHops
	factsServed    limit // requests of the peer's that were answered
	farFacts       farFacts
	lastHops       *status.MeasuredHops // nil: nobody here has asked for any
	appliedHostMTU int                  // hostMTU of the path that the host was told
	initiations    initiations
	appointment    appointment // when the peer is due in the agenda
	liveness       liveness
	keepalive      keepalive
	pulse          pulse
	replays        crypto.ReplayGuard
	challenge      crypto.Challenge // of the peer's, to come back with the next initiation
	clocks         clocks
	outage         outage
	found          []found          // what is known of each of endpoints
	candidates     []netip.AddrPort // where to call it: see choose
	calls          []*path          // by uplinks, in this round: see planCalls
	remembered     netip.AddrPort   // where it was when the tunnel ended; invalid: not known
	echo           pendingEcho
	inquiries      inquiries
	handshakes     uint64
	accepted       crypto.PublicKey // see status.Peer.OwnKey; zero: none
	attempts       attempts
	unanswered     int       // initiations since the peer was last heard of
	newPort        bool      // is to hear from it: see otherPort
	advised        bool      // the operator has been told of the port since it was last heard of
	last           time.Time // of the last completed handshake
	up             bool      // has an SA pair
	lostWhy        string    // why it has none any more; empty: it never had one
	observer       history.Observer
	sizesTold      limit // changes of the PLPMTU that were logged
	warnings       limit // about handshakes with this peer
	called         limit // authentic initiations of this peer
	renumbered     limit // new addresses of its name
}

// traffic counts inner packets as they are put on the way, including those that
// the kernel then refuses. A superpacket counts as its pieces, a packet in tunnel
// fragments once.
type traffic struct {
	packets, bytes atomic.Uint64
}

func (t *traffic) add(packets, bytes int) {
	t.packets.Add(uint64(packets))
	t.bytes.Add(uint64(bytes))
}

func newPeer(c conf.Peer) *peer {
	p := &peer{
		name:      c.Name,
		public:    crypto.PublicKey(c.PublicKey),
		keys:      keysOf(&c),
		preshared: crypto.PresharedKey(c.PresharedKey),
		endpoints: c.Endpoints,
		found:     make([]found, len(c.Endpoints)),
		allowed:   c.AllowedIPs,
		keepalive: keepalive{interval: c.Keepalive},
		config:    c,
		observer:  history.Observer{Peer: c.Name},
		company:   new(udp.Company),
	}
	p.waiting.drops = &p.drops
	p.appointment.peer = p
	p.quotedPTBs.interval, p.strangePTBs.interval, p.warnings.interval = quotedPTBEvery, strangePTBEvery, warnEvery
	p.strays.interval, p.moves.interval, p.moves.burst = elsewhereEvery, warnEvery, movesBurst
	p.wayTold.interval, p.wayTold.burst = warnEvery, 2*movesBurst
	p.asked.interval, p.asked.burst = askedEvery, askedAtOnce
	p.forgetPaths()
	p.clocks.init()
	for _, l := range []*limit{&p.answers, &p.cookieReplies} {
		l.interval, l.burst = answerEvery, answerBurst
	}
	p.renumbered.interval = renumberedEvery
	p.sizesTold.interval, p.sizesTold.burst = warnEvery, sizesBurst
	p.hopService.init()
	p.factsServed.interval, p.factsServed.burst = factsServedEvery, factsServedBurst
	p.called.interval, p.called.burst = calledEvery, calledBurst
	p.discovery = p.standbys.begin(discoveryConfig(c), nil)
	return p
}

// status fills in what `fathom status` shows. Called by the control goroutine.
func (p *peer) status(now time.Time) status.Peer {
	s := status.Peer{
		Name:       p.name,
		PublicKey:  p.public.String(),
		AllowedIPs: p.allowed,
		State:      p.state(),
		RxBytes:    p.rx.bytes.Load(),
		TxBytes:    p.tx.bytes.Load(),
		RxPackets:  p.rx.packets.Load(),
		TxPackets:  p.tx.packets.Load(),
		Handshakes: p.handshakes,
		Dropped:    p.drops.snapshot(),
		Surgery:    p.surgery.status(),
	}
	if p.path != nil {
		s.Endpoint = p.path.Remote().String()
	}
	if p.noWay != nil {
		s.Problem = p.noWay.Error()
	}
	s.Attempt = p.attemptStatus(now)
	s.PMTUD, s.Hops = p.discoveryStatus(now), p.hopsStatus(now)
	s.Paths, s.PathHistory, s.Decider = p.pathsStatus(now), p.pathHistory(now), deciders[p.paths.Role()]
	if pair := p.sas.current; pair != nil {
		s.Cipher = pair.outbound.Suite().String()
		s.SendSPI, s.ReceiveSPI = pair.outbound.SPI(), pair.inbound.spi
	}
	if rtt, _ := p.discovery.RTT(); rtt > 0 {
		ms := millis(rtt)
		s.RTTMillis = &ms
	}
	if p.accepted != (crypto.PublicKey{}) {
		s.OwnKey = p.accepted.String()
	}
	if !p.last.IsZero() {
		last := onTheWall(p.last, now)
		s.LastHandshake = &last
	}
	return s
}

func (p *peer) state() status.PeerState {
	switch {
	case p.noWay != nil:
		return status.PeerNoRoute
	case p.sas.current != nil && p.liveness.silent():
		return status.PeerUnresponsive
	case p.sas.current != nil:
		return status.PeerEstablished
	case len(p.endpoints) == 0 && p.path == nil:
		return status.PeerIdle
	default:
		return status.PeerConnecting
	}
}
