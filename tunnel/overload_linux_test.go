package tunnel

import (
	"fmt"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"fathom/conf"
	"fathom/crypto"
	"fathom/esp"
	"fathom/tunnel/status"
)

// initiationTo is a message that a controller recognizes, from a stranger or a
// peer with the given key.
func initiationTo(t *testing.T, v *virtual, from crypto.PrivateKey) []byte {
	t.Helper()
	public, err := v.handshaker.private.Public()
	if err != nil {
		t.Fatal(err)
	}
	i, err := crypto.NewInitiator(from, public, crypto.PresharedKey{}, v.handshaker.random)
	if err != nil {
		t.Fatal(err)
	}
	m, err := i.Initiation(nil, crypto.Offer{SPI: 0x1234, Suites: []uint16{uint16(esp.AES256GCM)}}, crypto.Cookie{}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestALateInitiationIsNotAnswered, since its sender sends another.
func TestALateInitiationIsNotAnswered(t *testing.T) {
	for _, test := range []struct {
		before, after time.Duration // it is opened
		pairs         int
	}{{maxInitiationWait, 0, 1}, {maxInitiationWait + time.Millisecond, 0, 0}, {0, maxInitiationWait + time.Millisecond, 0}} {
		synctest.Test(t, func(t *testing.T) {
			caller := crypto.PrivateKey{2}
			public, err := caller.Public()
			if err != nil {
				t.Fatal(err)
			}
			v := newWire().newVirtual(t, "192.0.2.1:4500", crypto.PrivateKey{1}, conf.Tunnel{}, conf.Peer{PublicKey: conf.Key(public)})
			v.events.handshake(initiationTo(t, v, caller), origin{from: netip.MustParseAddrPort("192.0.2.2:4500")})
			time.Sleep(test.before)
			go v.opener.run()
			synctest.Wait()
			time.Sleep(test.after)
			v.catchUp()
			v.events.close()
			if n := len(v.peer.sas.pairs); n != test.pairs {
				t.Errorf("%v: %d SA pairs", test, n)
			}
			if n := v.drops.snapshot()["busy"]; n != uint64(1-test.pairs) {
				t.Errorf("%v: %d dropped", test, n)
			}
		})
	}
}

// TestAHubThatStartsCallsItsPeersInTurn, and so has time for their answers: all
// are up after one call each.
func TestAHubThatStartsCallsItsPeersInTurn(t *testing.T) {
	const peers = 300
	synctest.Test(t, func(t *testing.T) {
		w := newWire()
		hubKey := crypto.PrivateKey{1}
		hubPublic, err := hubKey.Public()
		if err != nil {
			t.Fatal(err)
		}
		var list []conf.Peer
		var ends []*virtual
		for n := range peers {
			key := crypto.PrivateKey{2, byte(n), byte(n >> 8)}
			public, err := key.Public()
			if err != nil {
				t.Fatal(err)
			}
			at := fmt.Sprintf("198.18.%d.%d", n/250, n%250+1)
			list = append(list, conf.Peer{Name: at, PublicKey: conf.Key(public), Endpoints: []conf.Endpoint{{Host: at, Port: 4500}}, PLPMTU: 1400})
			end := w.newVirtual(t, at+":4500", key, conf.Tunnel{}, conf.Peer{Name: "hub", PublicKey: conf.Key(hubPublic), PLPMTU: 1400})
			end.start(t)
			ends = append(ends, end)
		}
		hub := w.newVirtual(t, "192.0.2.1:4500", hubKey, conf.Tunnel{}, list...)
		hub.start(t)
		up := func() (n int) {
			hub.do(func(time.Time) {
				for _, p := range hub.peers {
					if p.state() == status.PeerEstablished {
						n++
					}
				}
			})
			return n
		}
		took := until(t, time.Minute, func() bool { return up() == peers })
		if want := peers*initiationGap + 10*w.trip; took > want {
			t.Errorf("all are up after %v, want %v at most", took, want)
		}
		time.Sleep(time.Second)
		for _, end := range ends {
			end.do(func(time.Time) {
				if end.peer.handshakes != 1 {
					t.Errorf("%v: %d handshakes", end.at, end.peer.handshakes)
				}
			})
		}
	})
}

// TestOurOwnCallsComeFirst: while several answers to them wait, initiations are lost
// where they arrive.
func TestOurOwnCallsComeFirst(t *testing.T) {
	v := newWire().newVirtual(t, "192.0.2.1:4500", crypto.PrivateKey{1}, conf.Tunnel{}, conf.Peer{PublicKey: conf.Key{9}})
	m := initiationTo(t, v, crypto.PrivateKey{2})
	from := netip.MustParseAddrPort("192.0.2.2:4500")
	for n := range maxAnswersBefore + 2 {
		if got, want := v.events.handshake(m, origin{from: from}), n <= maxAnswersBefore; got != want {
			t.Errorf("with %d answers before it an initiation is let in: %v", n, got)
		}
		v.events.post(ofAnswer, func(*controller, time.Time) {})
	}
}
