package tunnel

import (
	"bytes"
	"net/netip"
	"testing"
	"time"

	"fathom/conf"
	"fathom/crypto"
)

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
