package tunnel

import (
	"bytes"
	"net/netip"
	"testing"
	"time"

	"fathom/conf"
	"fathom/crypto"
)

func TestBothInitiatingAtOnceAgreeOnOnePair(t *testing.T) {
	for range 10 {
		left, right := newEnd(t), newEnd(t)
		left.meet(right, true, rightIP+"/32")
		right.meet(left, true, leftIP+"/32")
		left.start()
		right.start()
		eventually(t, "both ends established", hanging, func() bool { return left.established() && right.established() })
		agree := func() bool {
			l, r := left.status().Peers[0], right.status().Peers[0]
			return l.SendSPI == r.ReceiveSPI && l.ReceiveSPI == r.SendSPI
		}
		eventually(t, "both ends use the same pair", hanging, agree)
		packet := ipv4Packet(leftIP, rightIP, 100)
		left.send(packet)
		right.receives(packet)
		left.shutdown(nil)
		right.shutdown(nil)
	}
}

// TestARestartedPeerIsBack: how soon is TestARestartedPeerIsBackAtOnce.
func TestARestartedPeerIsBack(t *testing.T) {
	for _, crash := range []bool{false, true} {
		for _, who := range []string{"the end that calls", "the end that is called"} {
			name := who + " is stopped"
			if crash {
				name = who + " crashes"
			}
			t.Run(name, func(t *testing.T) {
				left, right := startPair(t)
				restarted, other := left, right
				if who == "the end that is called" {
					restarted, other = right, left
				}
				port := restarted.addr().Port()
				var cause error
				if crash {
					cause = errCrash
				}
				restarted.shutdown(cause)
				restarted.listen(port)
				restarted.start()
				eventually(t, "established again", hanging, func() bool { return restarted.established() && other.established() })
				packet := ipv4Packet(leftIP, rightIP, 100)
				left.send(packet)
				right.receives(packet)
			})
		}
	}
}

func TestOneSidedHandshakes(t *testing.T) {
	tests := []struct {
		name    string
		spoil   func(left, right *end)
		warning func(left, right *end) bool
	}{
		{"a wrong preshared key", func(left, right *end) {
			left.config.Peers[0].PresharedKey = conf.SecretKey{1}
			right.config.Peers[0].PresharedKey = conf.SecretKey{2}
		}, func(left, _ *end) bool { return left.log.count("peer's answer is not authentic") > 0 }},
		{"a preshared key on one side alone", func(left, _ *end) {
			left.config.Peers[0].PresharedKey = conf.SecretKey{1}
		}, func(left, _ *end) bool { return left.log.count("peer's answer is not authentic") > 0 }},
		{"a caller that is unknown", func(_, right *end) {
			right.config.Peers[0].PublicKey[0] ^= 1
		}, func(_, right *end) bool { return right.log.count("handshake from a stranger") > 0 }},
		{"a wrong key of the one who is called", func(left, right *end) {
			left.config.Peers[0].PublicKey = conf.Key(newEnd(right.t).public())
		}, func(_, right *end) bool { return right.status().Dropped["handshake"] > 0 }},
		{"no cipher in common", func(left, right *end) {
			left.config.Tunnel.Ciphers = []string{"aes-256-gcm"}
			right.config.Tunnel.Ciphers = []string{"chacha20-poly1305"}
		}, func(_, right *end) bool { return right.log.count("no cipher in common") > 0 }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			left, right := newPair(t)
			tt.spoil(left, right)
			right.start()
			left.start()
			eventually(t, "the warning", hanging, func() bool { return tt.warning(left, right) })
			if left.established() || right.established() {
				t.Error("established")
			}
		})
	}
}

func TestUnderLoadAnInitiationNeedsACookie(t *testing.T) {
	left, right := newPair(t)
	right.adjust = func(c *controller) {
		exhaust(&c.events.gate.load)
	}
	right.start()
	left.start()
	eventually(t, "established by cookie", hanging, func() bool { return left.established() && right.established() })
	if left.tunnel.peers[0].handshakes != 1 {
		t.Errorf("%d handshakes", left.tunnel.peers[0].handshakes)
	}
}

// TestAHandshakeThatCannotBeMadeIsToldOf: without randomness there is none.
func TestAHandshakeThatCannotBeMadeIsToldOf(t *testing.T) {
	v := newWire().newVirtual(t, "192.0.2.1:4500", crypto.PrivateKey{1}, conf.Tunnel{}, conf.Peer{PublicKey: conf.Key{9}})
	v.handshaker.random = bytes.NewReader(nil)
	v.peer.candidates = []netip.AddrPort{netip.MustParseAddrPort("192.0.2.2:4500")}
	v.initiate(v.peer, time.Now())
	if n := v.log.count("cannot make a handshake"); n != 1 {
		t.Errorf("%d warnings", n)
	}
}
