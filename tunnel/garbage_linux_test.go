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
	otherVersion := bytes.Clone(initiation)
	otherVersion[esp.MarkerSize+1]++
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
		ptb := udp.ICMP{Kind: udp.PTB, To: to, MTU: 600, Quote: unknownSPI[:64]}
		return func() { v.events.icmp(ptb) }
	}
	const messages, may = 500, 10 // the runtime itself does so now and then
	for _, test := range []struct {
		name    string
		comes   func()
		counted func() uint64
	}{
		{"a wrong MAC1", arrives(wrongMAC1), v.drops[dropHandshake].Load},
		{"another version", arrives(otherVersion), v.drops[dropVersion].Load},
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
