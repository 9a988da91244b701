package tunnel

import (
	"bytes"
	"net/netip"
	"testing"
	"time"

	"fathom/conf"
	"fathom/esp"
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
	reply, err := g.responder.Load().CookieReply(nil, to.message(t, g.party, now), to.at, now)
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
			caller.peer.initiations.cookies = nil
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
	known := newPeer(conf.Peer{})
	known.path = newPath(caller.at, netip.Addr{})
	g.gate.places.follow(known)
	if v := g.gate.judge(message, caller.at, now); v != admitted {
		t.Errorf("from a known place: verdict %d", v)
	}
}

// TestForgedCookieRepliesDoNotStopAResponse, which is of a rate of its own.
func TestForgedCookieRepliesDoNotStopAResponse(t *testing.T) {
	caller, called := parties(t)
	g := newGate(caller.responder, &caller.initiators, new(places))
	now := time.Now()
	initiation := caller.message(t, called, now)
	forged := append([]byte{3, 1, 0, 0}, append(bytes.Clone(initiation[4:8]), make([]byte, 56)...)...)
	for g.judge(forged, called.at, now) == answered {
	}
	o := called.receive(append(esp.AppendMarker(nil), initiation...), caller, now)
	if o.pair == nil {
		t.Fatalf("the response: %+v", o)
	}
	if v := g.judge(o.datagram[esp.MarkerSize:], called.at, now); v != answered {
		t.Errorf("the response gets verdict %d", v)
	}
}
