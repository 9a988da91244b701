package tunnel

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"time"

	"fathom/esp"
	"fathom/tunnel/control"
	"fathom/tunnel/paths"
	"fathom/tunnel/udp"
)

// messenger sends the control goroutine's messages to peers. It counts refused
// messages; the protocols behind them send them again.
type messenger struct {
	sender messageSender
}

// messageSender is the part of a sender that a messenger uses.
type messageSender interface {
	control(to *session, payload []byte, size int) error
	probe(to *session, payload []byte, size int, as variant) error
	hop(to *session, payload []byte, size int, hops uint8, as variant) (seq uint32, err error)
	plain(datagram []byte, to *udp.Destination) error
	keepalive(to *udp.Destination) error
	flush() error
}

var _ messageSender = (*sender)(nil)

// errNoSA: there is nothing to send a control message on.
var errNoSA = errors.New("no SA")

// control sends a control message on the current SA. With size, in bytes of the
// outer IP packet, the packet is padded to exactly that. The error has been
// counted.
func (m messenger) control(p *peer, message []byte, size int) error {
	return m.send(p, p.session.Load(), message, size)
}

// send is control by a session of the peer's.
func (m messenger) send(p *peer, to *session, message []byte, size int) error {
	if !to.ready() {
		return errNoSA
	}
	if !to.path.allowance.take(messageSize(to.path, message, size)) {
		return m.sent(p, errUnproved)
	}
	return m.sent(p, m.sender.control(to, message, size))
}

// sent sends what the outbox has taken, unless there is an error.
func (m messenger) sent(p *peer, err error) error {
	if err != nil {
		p.drops.count(dropReasonOf(err))
		return err
	}
	p.sent.Add(1)
	return m.sender.flush()
}

// to returns the way to send probes and requests to a peer.
func (m messenger) to(p *peer) probeWay {
	return m.by(p, p.session.Load())
}

// by is to by a session of the peer's.
func (m messenger) by(p *peer, to *session) probeWay {
	return func(message []byte, size int, as variant) error {
		if size == 0 || !to.ready() {
			return m.send(p, to, message, size)
		}
		if !to.path.allowance.take(size) {
			return m.sent(p, errUnproved)
		}
		return m.sent(p, m.sender.probe(to, message, size, as))
	}
}

// hop sends a probe of some size that gets no farther than some hops, 0: as far as data.
// spi and seq are what its quote in an ICMP message begins with.
func (m messenger) hop(p *peer, message []byte, size int, hops uint8, as variant) (spi, seq uint32, err error) {
	to := p.session.Load()
	if !to.ready() {
		return 0, 0, errNoSA
	}
	if !to.path.allowance.take(size) {
		return 0, 0, m.sent(p, errUnproved)
	}
	seq, err = m.sender.hop(to, message, size, hops, as)
	return to.sa.SPI(), seq, m.sent(p, err)
}

// echo asks the peer for an answer.
func (m messenger) echo(p *peer, now time.Time) { m.echoBy(p, p.session.Load(), now) }

// echoOn does so on a pair of the peer's.
func (m messenger) echoOn(p *peer, pair *saPair, now time.Time) {
	to := p.session.Load()
	if to != nil && to.sa != pair.outbound {
		to = &session{peer: p, sa: pair.outbound, path: to.path}
	}
	m.echoBy(p, to, now)
}

func (m messenger) echoBy(p *peer, to *session, now time.Time) {
	var b [8]byte
	rand.Read(b[:])
	p.echo.ask(binary.BigEndian.Uint64(b[:])|1, now) // 0 is no token
	_ = m.send(p, to, control.AppendToken(nil, control.Echo, p.echo.token), 0)
}

// path sends a challenge of a path, or a response, by that path and no other: it would
// prove that one. The error is udp.ErrNoSource if the path is gone.
func (m messenger) path(p *peer, by *path, a paths.Action) error {
	pair := p.sas.current
	if pair == nil {
		return errNoSA
	}
	exactly := *by
	exactly.Destination, exactly.allowance = by.Exactly(), nil // package paths has counted it
	var message []byte
	switch {
	case a.Kind == paths.SendResponse:
		message = control.AppendPathResponse(nil, a.Token, a.Generation)
	case pair.features&featurePaths == 0:
		message = control.AppendToken(nil, control.Echo, a.Token)
	default:
		message = control.AppendPathChallenge(nil, a.Token, a.Generation, a.Use, a.Stalled)
	}
	return m.send(p, &session{peer: p, sa: pair.outbound, path: &exactly}, message, 0)
}

// report tells the peer which of its packets have arrived on an SA.
func (m messenger) report(sa *inboundSA, token uint64) {
	var bits [control.MaxReportWords]uint64
	sa.mu.Lock()
	highest := sa.in.Window().Report(bits[:])
	sa.mu.Unlock()
	_ = m.control(sa.peer, control.AppendReport(nil, token, sa.spi, highest, bits[:sa.reported.words(highest)]), 0)
}

// close tells the peer that its SAs are of no use any more.
func (m messenger) close(p *peer) { _ = m.control(p, control.AppendClose(nil), 0) }

// keepalive sends the single byte of RFC 3948 section 2.3 to the peer.
func (m messenger) keepalive(p *peer) {
	if !p.path.allowance.take(esp.OuterOverhead(p.path.IPv6()) + 1) {
		p.drops.count(dropUnproved)
		return
	}
	if err := m.sender.keepalive(p.path.Destination); err != nil {
		p.drops.count(dropReasonOf(err))
	}
}

// plain sends a handshake message.
func (m messenger) plain(datagram []byte, to *udp.Destination) error {
	return m.sender.plain(datagram, to)
}

// reported remembers the highest sequence number of each of the last reports, the
// oldest first. Each report repeats what the remembered ones told, so that some of
// them may be lost.
type reported [4]uint32

// words returns how many words of 64 packets the next report needs, whose
// highest number is given, and takes note of it.
func (r *reported) words(highest uint32) int {
	since := highest - min(highest, r[0])
	copy(r[:], r[1:])
	r[len(r)-1] = highest
	return int(min(since/64+1, control.MaxReportWords))
}
