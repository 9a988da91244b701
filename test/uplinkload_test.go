//go:build linux

package test

import (
	"crypto/rand"
	"net"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"fathom/crypto"
	"fathom/esp"
	"fathom/test/gateway"
	"fathom/test/netlab"
	"fathom/test/tier"
	"fathom/tunnel/status"
)

// TestIsCalledByTheSecondUplinkUnderLoad: a stranger sends so many initiations that
// callers must prove their addresses. A peer that knows only the address of the second
// uplink gets in. All cookie replies leave by that: the provider of the first lets nothing
// out that comes from the second's address, and the kernel would send them that way.
func TestIsCalledByTheSecondUplinkUnderLoad(t *testing.T) {
	tier.Select(t, tier.EitherWay)
	w := newDualWAN(t, failoverTrip)
	check(t, w.a.Configure(w.uplinks(t), gateway.Peer{Gateway: w.b}))
	check(t, w.b.Configure("", gateway.Peer{Gateway: w.a, Endpoint: w.at(1)}))
	var strayed atomic.Int64
	w.wans[0].SetFilter(func(d netlab.Dir, packet []byte) netlab.Verdict {
		verdict := w.ownOnly(0)(d, packet)
		if verdict == netlab.Drop {
			strayed.Add(1)
		}
		return verdict
	})
	check(t, w.a.Start())

	stranger, err := crypto.GeneratePrivateKey(rand.Reader)
	check(t, err)
	initiator, err := crypto.NewInitiator(stranger, w.a.Public, crypto.PresharedKey{}, rand.Reader)
	check(t, err)
	initiation, err := initiator.Initiation(esp.AppendMarker(nil), crypto.Offer{SPI: 1 << 20, Suites: []uint16{uint16(esp.AES256GCM)}}, crypto.Cookie{}, time.Now())
	check(t, err)
	conn, err := w.R.ListenPacket("udp", netip.AddrPortFrom(w.wans[1].B.Addr4(), 0).String())
	check(t, err)
	to := net.UDPAddrFromAddrPort(netip.AddrPortFrom(w.wans[1].A.Addr4(), gateway.Port))
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case <-done:
				return
			case <-time.After(time.Millisecond):
				for range 10 { // many more than are opened, however rarely this runs
					_, _ = conn.WriteTo(initiation, to)
				}
			}
		}
	}()
	defer func() { close(done); <-ended; conn.Close() }()

	asked := func(s *status.Status) uint64 { return drops(s, "cookie_asked") }
	await(t, w.a, func(s *status.Status) bool { return asked(s) > 100 })
	begun := time.Now()
	check(t, w.b.Start())
	await(t, w.b, gateway.Established)
	await(t, w.a, gateway.Established)
	if n := strayed.Load(); n > 0 {
		t.Errorf("%d packets left by the first uplink from the address of another", n)
	}
	tier.Figure(t, "called by the second uplink under load: up after %d ms", time.Since(begun).Milliseconds())
}
