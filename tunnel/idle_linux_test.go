package tunnel

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"fathom/conf"
	"fathom/crypto"
	"fathom/esp"
	"fathom/pmtud"
	"fathom/tunnel/control"
	"fathom/tunnel/status"
)

// establish gives a peer an SA pair and a path that has been searched.
func establish(t testing.TB, c *controller, p *peer, now time.Time) {
	t.Helper()
	establishAt(t, c, p, netip.MustParseAddrPort("127.0.0.1:9"), netip.Addr{}, now)
}

// establishAt does so at an endpoint, towards our local address.
func establishAt(t testing.TB, c *controller, p *peer, endpoint netip.AddrPort, local netip.Addr, now time.Time) {
	t.Helper()
	spi := c.spis.unused()
	pair, err := newSAPair(p, crypto.Keys{SendSPI: spi, ReceiveSPI: spi, Suite: uint16(esp.AES256GCM)}, true, now)
	if err != nil {
		t.Fatal(err)
	}
	pair.inbound.used.Store(true)
	pair.proven, pair.rtt = true, time.Millisecond
	c.install(outcome{peer: p, pair: pair}, origin{from: endpoint, local: local}, now)
	for probes := p.discovery.Poll(nil, now); len(probes) > 0; probes = p.discovery.Poll(nil, now) {
		for _, a := range probes {
			p.discovery.Ack(a.ID, false, now)
		}
	}
	c.applyPLPMTU(p)
	c.attend(p, now)
	if s := p.discovery.State(); s != pmtud.SearchComplete {
		t.Fatalf("the search ends in state %v", s)
	}
}

// hub is a controller with established peers that answer echoes.
type hub struct {
	*virtual
	now time.Time
	// wakes counts the times that the alarm has rung, looks the peers that were
	// attended to then, and echoes the messages that called for an answer.
	// Probes of the PLPMTU stand for echoes.
	wakes, looks, echoes int
	probes               []uint64 // tokens of those that are not answered yet
}

func newHub(t testing.TB, peers int) *hub {
	list := make([]conf.Peer, peers)
	for i := range list {
		list[i] = conf.Peer{Name: fmt.Sprint(i), PublicKey: conf.Key{byte(i), byte(i >> 8), 1}}
	}
	h := &hub{now: time.Now()}
	h.virtual = newWire().newVirtual(t, "192.0.2.1:4500", crypto.PrivateKey{1}, conf.Tunnel{RekeyAfter: 24 * time.Hour}, list...)
	h.probed = func(payload []byte, _ int, _ variant) {
		if elements, err := control.Parse(nil, payload); err == nil && len(elements) == 1 {
			h.probes = append(h.probes, elements[0].Token())
		}
	}
	h.begin(h.now)
	for i, p := range h.peers {
		establish(t, h.controller, p, h.now.Add(time.Duration(i)*10*time.Millisecond))
	}
	h.probes = nil
	h.pass(20 * time.Second) // the echoes find their rhythm
	return h
}

// pass lets time pass, and does all due work in time.
func (h *hub) pass(d time.Duration) {
	end := h.now.Add(d)
	for {
		at := h.agenda.next()
		if at.IsZero() || at.After(end) {
			h.now = end
			return
		}
		h.now = at
		h.wakes++
		due := h.agenda.take(h.now, len(h.peers))
		h.looks += len(due)
		for _, p := range due {
			h.attend(p, h.now)
			if p.echo.token != 0 {
				h.hear(p, control.AppendToken(nil, control.EchoReply, p.echo.token))
			}
			for len(h.probes) > 0 {
				token := h.probes[0]
				h.probes = h.probes[1:]
				h.hear(p, control.AppendProbeAck(nil, token, false))
			}
		}
	}
}

// hear is the answer of a peer to a message that has just been sent to it.
func (h *hub) hear(p *peer, answer []byte) {
	h.echoes++
	p.authentic.Add(1)
	h.handleControl(p.sas.current.inbound, answer, false, origin{from: p.path.Remote(), local: p.path.pair.Local}, h.now)
	h.attend(p, h.now)
}

// TestAnIdleHubRests: peers are woken for one echo every idleEcho, and a look or
// two after it, and they are woken together.
func TestAnIdleHubRests(t *testing.T) {
	const peers, seconds = 300, 60
	h := newHub(t, peers)
	h.wakes, h.looks, h.echoes = 0, 0, 0
	h.pass(seconds * time.Second)
	t.Logf("%d peers, in %d s: %d wake-ups, %d looks, %d echoes", peers, seconds, h.wakes, h.looks, h.echoes)
	if rings := int(time.Second/tick) * seconds; h.wakes > rings {
		t.Errorf("%d wake-ups, want at most %d", h.wakes, rings)
	}
	rounds := peers * seconds / int(idleEcho/time.Second)
	if h.echoes < rounds*9/10 || h.echoes > rounds {
		t.Errorf("%d echoes, want %d", h.echoes, rounds)
	}
	if h.looks > 4*h.echoes {
		t.Errorf("%d looks, for %d echoes", h.looks, h.echoes)
	}
	for _, p := range h.peers {
		if p.state() != status.PeerEstablished {
			t.Fatalf("a peer is %v", p.state())
		}
	}
}

// BenchmarkAnIdleSecond of a hub.
func BenchmarkAnIdleSecond(b *testing.B) {
	for _, peers := range []int{1, 1000} {
		b.Run(fmt.Sprint(peers), func(b *testing.B) {
			h := newHub(b, peers)
			h.wakes, h.looks, h.echoes = 0, 0, 0
			for b.Loop() {
				h.pass(time.Second)
			}
			b.ReportMetric(float64(h.wakes)/float64(b.N), "wakes/s")
			b.ReportMetric(float64(h.looks)/float64(b.N), "looks/s")
			b.ReportMetric(float64(h.echoes)/float64(b.N), "echoes/s")
		})
	}
}
