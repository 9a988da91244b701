//go:build linux

package crowd

import (
	"crypto/rand"
	"net/netip"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"fathom/crypto"
	"fathom/esp"
	"fathom/pmtud"
	"fathom/tunnel/control"
)

const (
	// confirmEvery is how often the hub is asked for an answer on a new pair, and
	// deadAfter how long before the peer calls again.
	confirmEvery = time.Second
	deadAfter    = 5 * time.Second
	// closedFor is how long a peer waits before it calls a hub that has ended.
	closedFor = time.Second
	// egressMTU is that of the host's way to the hub, in bytes.
	egressMTU = 1500
)

// peer is one simulated peer. The lock of its crowd guards it.
type peer struct {
	crowd  *Crowd
	at     netip.Addr // outside
	inner  netip.Addr
	source []byte // ancillary data: what it sends leaves from at

	private   crypto.PrivateKey
	public    crypto.PublicKey
	responder *crypto.Responder
	calls     calls
	replays   crypto.ReplayGuard // of the hub's initiations

	pairs   []*pair // the youngest last
	current *pair   // to send on; nil: none
	// echo is the token of the echo that asks for an answer on the current pair,
	// which is in use since then, sent at asked; 0: the hub has answered.
	echo         uint64
	since, asked time.Time

	talkEvery time.Duration // see Talk
	talkAt    time.Time     // the next; zero: never

	discovery *pmtud.Discovery
	actions   []pmtud.Action // scratch
	due       time.Time      // of the next attend
}

// pair is an SA pair.
type pair struct {
	spi  uint32 // of in
	in   *esp.Inbound
	out  *esp.Outbound
	used bool // has been the current one
}

// maxPairs is how many pairs a peer receives on.
const maxPairs = 4

func newPeer(c *Crowd, at, inner netip.Addr) (p *peer, err error) {
	p = &peer{crowd: c, at: at, inner: inner, discovery: pmtud.New(pmtud.Config{})}
	p.source = unix.PktInfo4(&unix.Inet4Pktinfo{Spec_dst: at.As4()})
	if p.private, err = crypto.GeneratePrivateKey(rand.Reader); err != nil {
		return nil, err
	}
	if p.public, err = p.private.Public(); err != nil {
		return nil, err
	}
	p.responder, err = crypto.NewResponder(p.private, rand.Reader)
	return p, err
}

// send sends a datagram. The protocols above send again when one is lost.
func (p *peer) send(datagram []byte) {
	_, _, _ = p.crowd.conn.WriteMsgUDPAddrPort(datagram, p.source, p.crowd.hub)
}

// control sends a control message on the current pair. A size other than 0 is that
// of the outer packet, in bytes.
func (p *peer) control(message []byte, size int) {
	var packet []byte
	var err error
	if size > 0 {
		packet, _, err = p.current.out.SealSize(&p.crowd.scratch, nil, message, esp.NextHeaderDummy, size-esp.OuterOverhead(false))
	} else {
		packet, _, err = p.current.out.Seal(&p.crowd.scratch, nil, message, esp.NextHeaderDummy)
	}
	if err == nil {
		p.send(packet)
	}
}

// attendDue attends to the peer if it is due. It reports whether a call has to wait.
// Nobody calls while datagrams of the hub wait for this process: real peers have processors
// of their own, and none calls again because another takes its time.
func (p *peer) attendDue(now time.Time) (waits bool) {
	switch {
	case !p.due.IsZero() && now.Before(p.due):
	case p.calls.due(now) && p.crowd.behind.Load():
		return true
	default:
		p.attend(now)
	}
	return false
}

// attend does the due work and notes when the next is due.
func (p *peer) attend(now time.Time) {
	if p.calls.due(now) {
		p.call(now)
	}
	p.talk(now)
	p.due = first(now.Add(time.Hour), p.talkAt)
	if p.calls.wanted {
		p.due = first(p.due, p.calls.next)
	}
	if p.current == nil {
		return
	}
	if p.echo != 0 {
		if now.Sub(p.asked) >= confirmEvery {
			p.confirm(now)
		}
		if now.Sub(p.since) >= deadAfter && !p.calls.wanted {
			p.calls.want(now) // the SAs may yet work
			p.since = now
		}
		p.due = first(p.due, p.asked.Add(confirmEvery))
	}
	p.actions = p.discovery.Poll(p.actions[:0], now)
	for _, a := range p.actions {
		if a.Kind == pmtud.SendProbe {
			p.control(control.AppendToken(nil, control.Probe, a.ID), a.Size)
		} else {
			p.control(control.AppendToken(nil, control.ReportRequest, a.ID), 0)
		}
	}
	p.due = first(p.due, p.discovery.Deadline())
}

// first returns the earlier of two times, of which the second may be none.
func first(a, b time.Time) time.Time {
	if b.IsZero() || a.Before(b) {
		return a
	}
	return b
}

// confirm asks the hub for an answer on the current pair.
func (p *peer) confirm(now time.Time) {
	if p.echo == 0 {
		p.echo = random64()
	}
	p.asked = now
	p.control(control.AppendToken(nil, control.Echo, p.echo), 0)
}

// become makes a pair the current one.
func (p *peer) become(s *pair, now time.Time) {
	up := p.current != nil
	p.current, p.since, s.used = s, now, true
	p.calls.done()
	if !up {
		p.discovery.NewEndpoint(pmtud.Endpoint{EgressMTU: egressMTU}, now)
		p.echo = 0
		p.confirm(now)
	}
	p.discovery.NewSA(new(pmtud.SentLog))
}

// add lets the peer receive on the pair that a handshake has made.
func (p *peer) add(keys crypto.Keys) *pair {
	in, err := esp.NewInbound(keys.ReceiveSPI, esp.Suite(keys.Suite), keys.Receive[:])
	if err != nil {
		return nil
	}
	out, err := esp.NewOutbound(keys.SendSPI, esp.Suite(keys.Suite), keys.Send[:])
	if err != nil {
		return nil
	}
	s := &pair{spi: keys.ReceiveSPI, in: in, out: out}
	if len(p.pairs) == maxPairs {
		oldest := slices.IndexFunc(p.pairs, func(s *pair) bool { return s != p.current })
		p.pairs = slices.Delete(p.pairs, oldest, oldest+1)
	}
	p.pairs = append(p.pairs, s)
	return s
}

// datagram takes what has arrived from the hub. It may change the bytes.
func (p *peer) datagram(b []byte, now time.Time) {
	switch esp.Classify(b) {
	case esp.KindHandshake:
		p.handshake(b[esp.MarkerSize:], now)
	case esp.KindESP:
		p.esp(b, now)
	}
	p.attend(now)
}

func (p *peer) esp(packet []byte, now time.Time) {
	spi, err := esp.SPIOf(packet)
	i := slices.IndexFunc(p.pairs, func(s *pair) bool { return s.spi == spi })
	if err != nil || i < 0 {
		return
	}
	s := p.pairs[i]
	plain, next, _, err := s.in.Open(&p.crowd.scratch, packet[esp.HeaderSize:esp.HeaderSize], packet)
	if err != nil {
		return
	}
	if !s.used {
		p.become(s, now) // the hub has begun to send on a pair that we have answered
	}
	if next == esp.NextHeaderIPv4 && isEchoReply(plain) {
		p.crowd.echoes.answered.Add(1)
	} else if elements, err := control.Parse(nil, plain); err == nil && next == esp.NextHeaderDummy {
		p.elements(s, elements, now)
	}
}

// elements acts on a control message of the hub that came on a pair.
func (p *peer) elements(s *pair, elements []control.Element, now time.Time) {
	for _, e := range elements {
		switch e.Type {
		case control.Echo:
			p.control(control.AppendToken(nil, control.EchoReply, e.Token()), 0)
		case control.EchoReply:
			if e.Token() == p.echo {
				p.echo = 0
				p.crowd.up.Add(1)
				p.discovery.SeedRTT(now.Sub(p.asked))
			}
		case control.Probe:
			p.control(control.AppendProbeAck(nil, e.Token(), false), 0)
		case control.ProbeAck:
			p.discovery.Ack(e.Token(), e.Fragmented(), now)
		case control.ReportRequest:
			var bits [control.MaxReportWords]uint64
			highest := s.in.Window().Report(bits[:])
			p.control(control.AppendReport(nil, e.Token(), s.spi, highest, bits[:]), 0)
		case control.FactsRequest:
			p.control(control.AppendFactsReport(nil, &control.Facts{Token: e.Token(), Parts: 1, Clock: now, Seen: p.crowd.hub, PLPMTU: p.discovery.PLPMTU(),
				Addresses: []netip.Prefix{netip.PrefixFrom(p.inner, 32)}, Allowed: []netip.Prefix{netip.MustParsePrefix(HubInner)}}), 0)
		case control.Close:
			p.close(now)
			return
		}
	}
}

// forget makes the peer one that has just started. The clock may be set, so that
// nothing of the discovery remains either.
func (p *peer) forget() {
	p.calls, p.pairs, p.current, p.echo, p.due = calls{}, nil, nil, 0, time.Time{}
	p.discovery = pmtud.New(pmtud.Config{})
}

// up reports whether the hub has answered on a pair of the peer's.
func (p *peer) up() bool { return p.current != nil && p.echo == 0 }

// close takes note that the hub has ended. It says so on the pair that it sends on, which
// may be another than ours.
func (p *peer) close(now time.Time) {
	if p.up() {
		p.crowd.up.Add(-1)
	}
	p.pairs, p.current = nil, nil
	p.discovery.Stop(now)
	p.calls.want(now.Add(closedFor))
}
