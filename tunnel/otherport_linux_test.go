package tunnel

import (
	"net/netip"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"fathom/conf"
	"fathom/crypto"
	"fathom/esp"
	"fathom/tunnel/status"
	"fathom/tunnel/udp"
)

// TestAHandshakeFromTheSecondPort ends there, whatever the peer asks for meanwhile:
// nothing passes by the first.
func TestAHandshakeFromTheSecondPort(t *testing.T) {
	for _, test := range []struct {
		name           string
		doubted, proof bool // the peer wants a challenge back, a cookie
	}{{"at once", false, false}, {"after a challenge", true, false}, {"with a cookie", false, true}, {"with both", true, true}} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				left, right := newVirtualPair(t, conf.Tunnel{}, 0)
				if test.doubted {
					doubt(t, right, left, 20*time.Hour)
				}
				if test.proof {
					exhaust(&right.events.gate.load)
				}
				opened, answered := openSecondPort(left, netip.MustParseAddrPort("192.0.2.1:4501"))
				right.start(t)
				left.start(t)
				until(t, time.Hour, func() bool { return opened.Load() })
				took := until(t, time.Minute, func() bool { return left.state() == status.PeerEstablished && right.state() == status.PeerEstablished })
				if !answered.Load() || took > 10*left.wire.trip {
					t.Errorf("up after %v, by the second port: %v", took, answered.Load())
				}
			})
		})
	}
}

// openSecondPort gives an end a second port, and loses what leaves by the first until
// the second takes its place. It returns whether it has been opened, and answered.
func openSecondPort(v *virtual, at netip.AddrPort) (opened, answered *atomic.Bool) {
	opened, answered = new(atomic.Bool), new(atomic.Bool)
	v.wire.ends[at] = v
	v.mute.Store(true)
	v.port.open = func() (*trial, error) {
		opened.Store(true)
		return &trial{
			plain: func(datagram []byte, to *udp.Destination) error {
				v.wire.later(at, to.Remote(), func(far *virtual) {
					far.events.handshake(datagram[esp.MarkerSize:], origin{from: at, local: far.at.Addr()})
				})
				return nil
			},
			accept: func() { answered.Store(true); v.mute.Store(false) },
			close:  func() {},
		}, nil
	}
	return opened, answered
}

// doubt has an end accept an initiation of a peer's clock that is ahead: later ones,
// when it has been set right, are doubted.
func doubt(t *testing.T, v, of *virtual, ahead time.Duration) {
	t.Helper()
	i, err := crypto.NewInitiator(of.handshaker.private, v.handshaker.public, crypto.PresharedKey{}, v.handshaker.random)
	if err != nil {
		t.Fatal(err)
	}
	m, err := i.Initiation(nil, crypto.Offer{SPI: 0x1234, Suites: []uint16{uint16(esp.AES256GCM)}}, crypto.Cookie{}, time.Now().Add(ahead))
	if err != nil {
		t.Fatal(err)
	}
	pending, err := v.handshaker.responder.Load().Open(m)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := v.handshaker.responder.Load().Accept(&v.peer.replays, pending, time.Now()); err != nil {
		t.Fatal(err)
	}
}
