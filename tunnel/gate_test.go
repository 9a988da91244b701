package tunnel

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"testing"
	"time"

	"fathom/conf"
	"fathom/crypto"
	"fathom/esp"
	"fathom/test/tier"
	"fathom/tunnel/udp"
)

// gatekeeper is the gate of a party, and what passes by it.
type gatekeeper struct {
	*party
	gate *gate
}

// newGatekeeper returns a caller, and the one who is called.
func newGatekeeper(t *testing.T) (caller *party, called *gatekeeper) {
	a, b := parties(t)
	return a, &gatekeeper{b, newGate(b.responder, &b.initiators, new(places))}
}

// message returns an initiation of the caller's, with the cookie that it has.
func (p *party) message(t *testing.T, to *party, now time.Time) []byte {
	t.Helper()
	p.peer.initiations.hurry(now)
	o := p.initiate(p.peer, to.at, now)
	if o.err != nil {
		t.Fatal(o.err)
	}
	return o.datagram[esp.MarkerSize:]
}

// giveCookie gives the caller a cookie for its address.
func (g *gatekeeper) giveCookie(t *testing.T, to *party, now time.Time) {
	t.Helper()
	reply, err := g.responder.CookieReply(nil, to.message(t, g.party, now), to.at, now)
	if err != nil {
		t.Fatal(err)
	}
	if o := to.handleAnswer(reply, g.at, now); o.err != nil {
		t.Fatal(o.err)
	}
}

// TestTheGateUnderAFlood of each kind, for a second.
func TestTheGateUnderAFlood(t *testing.T) {
	const flood = 50000
	start := time.Now()
	address := func(n int) netip.AddrPort {
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte{198, 18, byte(n >> 8), byte(n)}), 4500)
	}
	most := func(n int) func(int) bool { return func(got int) bool { return got <= n && got >= n-2 } }
	atMost := func(n int) func(int) bool { return func(got int) bool { return got <= n && got > 0 } }
	for _, test := range []struct {
		name    string
		message func(t *testing.T, caller *party, g *gatekeeper) []byte
		from    func(n int, caller *party) netip.AddrPort
		want    map[verdict]func(int) bool
	}{
		{"initiations without a cookie, from many addresses",
			func(t *testing.T, caller *party, g *gatekeeper) []byte { return caller.message(t, g.party, start) },
			func(n int, _ *party) netip.AddrPort { return address(n) },
			map[verdict]func(int) bool{admitted: most(2*maxInitiations - 1), unproved: func(n int) bool { return n >= flood/3 && n < flood*2/3 }, excessive: func(n int) bool { return n > 0 }}},
		{"initiations with a cookie, from one address",
			func(t *testing.T, caller *party, g *gatekeeper) []byte {
				g.giveCookie(t, caller, start)
				return caller.message(t, g.party, start)
			},
			func(_ int, caller *party) netip.AddrPort { return caller.at },
			map[verdict]func(int) bool{admitted: atMost(2*maxInitiations + sourceBurst + int(time.Second/sourceEvery)), unproved: most(0), excessive: func(n int) bool { return n > flood*9/10 }}},
		{"a wrong MAC1",
			func(t *testing.T, caller *party, g *gatekeeper) []byte {
				m := caller.message(t, g.party, start)
				m[20] ^= 1
				return m
			},
			func(n int, _ *party) netip.AddrPort { return address(n) },
			map[verdict]func(int) bool{refused: most(flood)}},
		{"forged cookie replies",
			func(*testing.T, *party, *gatekeeper) []byte { return append([]byte{3, 1, 0, 0}, make([]byte, 60)...) },
			func(n int, _ *party) netip.AddrPort { return address(n) },
			map[verdict]func(int) bool{refused: most(flood)}},
		{"cookie replies by one who has seen our initiation",
			func(t *testing.T, caller *party, g *gatekeeper) []byte {
				ours := g.message(t, caller, start)
				return append([]byte{3, 1, 0, 0}, append(bytes.Clone(ours[4:8]), make([]byte, 56)...)...)
			},
			func(_ int, caller *party) netip.AddrPort { return caller.at },
			map[verdict]func(int) bool{answered: most(answerBurst + int(time.Second/answerEvery) - 1), excessive: func(n int) bool { return n > flood*9/10 }}},
	} {
		t.Run(test.name, func(t *testing.T) {
			caller, g := newGatekeeper(t)
			message := test.message(t, caller, g)
			got := make(map[verdict]int)
			now := start
			for n := range flood {
				now = start.Add(time.Duration(n) * time.Second / flood)
				got[g.gate.judge(message, test.from(n, caller), now)]++
			}
			for v, ok := range test.want {
				if !ok(got[v]) {
					t.Errorf("%d messages: %v; verdict %d", flood, got, v)
				}
			}
			// Somebody else, who has no cookie yet.
			caller.peer.initiations.cookie = crypto.Cookie{}
			newcomer := netip.MustParseAddrPort("203.0.113.1:4500")
			if v := g.gate.judge(caller.message(t, g.party, now), newcomer, now.Add(time.Millisecond)); v != unproved && v != admitted {
				t.Errorf("a newcomer gets verdict %d", v)
			}
			// And one who has proved its address.
			caller.at = newcomer
			g.giveCookie(t, caller, now)
			if v := g.gate.judge(caller.message(t, g.party, now), newcomer, now); v != admitted {
				t.Errorf("a newcomer with a cookie gets verdict %d", v)
			}
		})
	}
}

// TestKnownPlacesAreNotStrange: initiations from where peers are do not compete
// with those from many other proved addresses.
func TestKnownPlacesAreNotStrange(t *testing.T) {
	caller, g := newGatekeeper(t)
	now := time.Now()
	exhaust(&g.gate.load)
	g.giveCookie(t, caller, now)
	for g.gate.strange.allow(now) {
	}
	message := caller.message(t, g.party, now)
	if v := g.gate.judge(message, caller.at, now); v != excessive {
		t.Errorf("from an unknown place: verdict %d", v)
	}
	g.gate.places.move(newPeer(conf.Peer{}), caller.at)
	if v := g.gate.judge(message, caller.at, now); v != admitted {
		t.Errorf("from a known place: verdict %d", v)
	}
}

// TestGarbageCostsNoAllocation, nor does anything else that is refused.
func TestGarbageCostsNoAllocation(t *testing.T) {
	tier.Select(t, tier.Quick, tier.Measures)
	v := newWire().newVirtual(t, "192.0.2.1:4500", crypto.PrivateKey{1}, conf.Tunnel{}, conf.Peer{PublicKey: conf.Key{9}})
	establish(t, v.controller, v.peer, time.Now())
	stranger := netip.MustParseAddrPort("198.51.100.1:4500")
	forever := limit{interval: 1000 * time.Hour}
	exhausted := func(l *limit) {
		l.interval, l.burst = forever.interval, 1
		l.allow(time.Now())
	}
	exhaust(&v.events.gate.load)
	exhausted(&v.events.gate.cookies)
	exhausted(&v.peer.strangePTBs)

	initiation := append(esp.AppendMarker(nil), initiationTo(t, v, crypto.PrivateKey{2})...)
	wrongMAC1 := bytes.Clone(initiation)
	wrongMAC1[esp.MarkerSize+20] ^= 1
	cookieReply := append(esp.AppendMarker(nil), 3, 1, 0, 0, 1, 2, 3, 4)
	cookieReply = append(cookieReply, make([]byte, 56)...)
	unknownSPI, knownSPI := make([]byte, 100), make([]byte, 100)
	binary.BigEndian.PutUint32(unknownSPI, 1<<31)
	binary.BigEndian.PutUint32(knownSPI, v.peer.sas.current.inbound.spi)
	knownSPI[7] = 200 // a number that has not come yet

	r := &receiver{spis: v.spis, drops: v.drops, events: v.events}
	arrives := func(datagram []byte) func() {
		arrival := &udp.Arrival{From: stranger}
		return func() { r.datagram(datagram, arrival) }
	}
	told := func(to netip.AddrPort) func() {
		ptb := udp.PTB{To: to, MTU: 600, Quote: unknownSPI[:64]}
		return func() { v.events.ptb(ptb) }
	}
	const messages, may = 500, 10 // the runtime itself does so now and then
	for _, test := range []struct {
		name    string
		comes   func()
		counted func() uint64
	}{
		{"a wrong MAC1", arrives(wrongMAC1), v.drops[dropHandshake].Load},
		{"a cookie reply to nothing", arrives(cookieReply), v.drops[dropHandshake].Load},
		{"an initiation beyond the rate of cookie replies", arrives(initiation), v.drops[dropHandshakeRate].Load},
		{"ESP with an unknown SPI", arrives(unknownSPI), v.drops[dropUnknownSPI].Load},
		{"ESP with a known SPI", arrives(knownSPI), v.peer.drops[dropAuth].Load},
		{"a PTB about a packet to a peer", told(v.peer.path.Remote()), nil},
		{"a PTB about another packet", told(stranger), nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			before := uint64(0)
			if test.counted != nil {
				before = test.counted()
			}
			n := allocationsIn(func() {
				for range messages {
					test.comes()
				}
			})
			if n > may {
				t.Errorf("%d messages cost %d allocations", messages, n)
			}
			if test.counted != nil && test.counted()-before != messages {
				t.Errorf("%d of %d are counted", test.counted()-before, messages)
			}
			if n := v.events.waiting(); n != 0 {
				t.Errorf("%d events", n)
			}
		})
	}
	r.release()
}
