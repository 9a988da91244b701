//go:build linux

package test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"fathom/esp"
	"fathom/test/gateway"
	"fathom/test/netlab"
	"fathom/test/netlab/labtest"
)

type conditions = netlab.Conditions

// userPair is two gateways with a user-space link between them:
//
//	a 10.1.0.1 ── delay, loss, rate ── 10.1.0.2 b
type userPair struct {
	lab  *netlab.Lab
	A, B *netlab.Host
	link *netlab.UserLink
	a, b *gateway.Gateway
}

// newUserPair configures both ends; extra are more lines of both [tunnel]
// tables. Each direction has the delay.
func newUserPair(t testing.TB, extra string, delay time.Duration) *userPair {
	t.Helper()
	return newUserPairWith(t, extra, "", delay)
}

// newUserPairWith is newUserPair with more lines of both [[peer]] tables.
func newUserPairWith(t testing.TB, extra, peerExtra string, delay time.Duration) *userPair {
	t.Helper()
	lab := labtest.New(t)
	l := &userPair{lab: lab, A: lab.Host("a"), B: lab.Host("b")}
	way := netlab.Conditions{Delay: delay}
	l.link = lab.UserLink(l.A, l.B, netlab.UserLinkConfig{
		AddrA: netlab.Prefixes("10.1.0.1/24", "fd01::1/64"), AddrB: netlab.Prefixes("10.1.0.2/24", "fd01::2/64"),
		AtoB: way, BtoA: way, Seed: 1,
	})
	l.a = newGateway(t, l.A, "10.77.0.1/24", "fd77::1/64")
	l.b = newGateway(t, l.B, "10.77.0.2/24", "fd77::2/64")
	check(t, l.a.Configure(extra, gateway.Peer{Gateway: l.b, Endpoint: fmt.Sprintf("%s:%d", l.link.B.Addr4(), gateway.Port), Extra: peerExtra}))
	check(t, l.b.Configure(extra, gateway.Peer{Gateway: l.a, Endpoint: fmt.Sprintf("%s:%d", l.link.A.Addr4(), gateway.Port), Extra: peerExtra}))
	return l
}

// udpPayload returns what an IPv4 packet's UDP datagram carries; nil if it is
// no UDP packet.
func udpPayload(packet []byte) []byte {
	const udp, udpHeader = 17, 8
	if len(packet) < 20 || packet[0]>>4 != 4 || packet[9] != udp {
		return nil
	}
	header := int(packet[0]&15) * 4
	if len(packet) < header+udpHeader {
		return nil
	}
	return packet[header+udpHeader:]
}

// handshakeType returns the type of a handshake message, 0 for other packets.
func handshakeType(packet []byte) byte {
	payload := udpPayload(packet)
	if esp.Classify(payload) != esp.KindHandshake || len(payload) <= esp.MarkerSize {
		return 0
	}
	return payload[esp.MarkerSize]
}

// loseHandshakes drops every nth handshake message of either direction.
func loseHandshakes(n int64) netlab.Filter {
	var seen atomic.Int64
	return func(_ netlab.Dir, packet []byte) netlab.Verdict {
		if handshakeType(packet) != 0 && seen.Add(1)%n == 0 {
			return netlab.Drop
		}
		return netlab.Pass
	}
}

// loseFirst drops the first handshake message of the given type.
func loseFirst(kind byte) netlab.Filter {
	var once sync.Once
	return func(_ netlab.Dir, packet []byte) (v netlab.Verdict) {
		if handshakeType(packet) == kind {
			once.Do(func() { v = netlab.Drop })
		}
		return v
	}
}
