//go:build linux

package test

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"testing"
	"time"

	"fathom/crypto"
	"fathom/esp"
	"fathom/test/gateway"
	"fathom/test/netlab"
	"fathom/test/netlab/labtest"
	"fathom/test/tier"
	"fathom/tunnel/control"
	"fathom/tunnel/status"
)

// flooded is a gateway b that is flooded by way of the router, while the true peer
// a has traffic and a new one comes up:
//
//	a ──────────────┐
//	newcomer ────── r ── b
//	attacker, in r ─┘
//
// Each of them shares this machine's CPUs with the daemon that is attacked.
type flooded struct {
	*pair
	newcomer *gateway.Gateway
	// hostile is a peer of b's that the test plays, at an address that it has.
	hostile crypto.PrivateKey
	at      netip.AddrPort
	conn    net.PacketConn // there
}

func newFlooded(t *testing.T) *flooded {
	t.Helper()
	lab := labtest.New(t)
	f := &flooded{pair: &pair{Routed: lab.RoutedOver(linkConfig(nil, nil))}, at: netip.MustParseAddrPort("198.51.100.7:4500")}
	host := lab.Host("newcomer")
	link := lab.Connect(f.R, host, linkConfig(netlab.Prefixes("10.3.0.1/24"), netlab.Prefixes("10.3.0.2/24")))
	host.DefaultVia(link.A.Addr4())
	f.a = newGateway(t, f.A, "10.77.0.1/24")
	f.b = newGateway(t, f.B, "10.77.0.2/24")
	f.newcomer = newGateway(t, host, "10.77.0.3/24")
	var err error
	f.hostile, err = crypto.GeneratePrivateKey(rand.Reader)
	check(t, err)
	public, err := f.hostile.Public()
	check(t, err)
	atB := gateway.Peer{Gateway: f.b, Endpoint: f.endpoint(f.Right.B, overIPv4)}
	check(t, f.a.Configure("", atB))
	check(t, f.newcomer.Configure("", atB))
	check(t, f.b.Configure("", gateway.Peer{Gateway: f.a, Endpoint: f.endpoint(f.Left.A, overIPv4)}, gateway.Peer{Gateway: f.newcomer},
		gateway.Peer{Gateway: &gateway.Gateway{Name: "hostile", Public: public, Inner: netlab.Prefixes("10.77.0.4/24")}}))
	f.Right.A.AddAddress(netip.PrefixFrom(f.at.Addr(), 32))
	f.conn, err = f.R.ListenPacket("udp", f.at.String())
	check(t, err)
	t.Cleanup(func() { f.conn.Close() })
	return f
}

// trueState is what b says of the true peer.
func (f *flooded) trueState(s *status.Status) status.Peer { return s.Peers[0] }

// initiation makes an initiation of the hostile peer, or of a stranger.
func (f *flooded) initiation(t *testing.T, from crypto.PrivateKey, cookie crypto.Cookie) (*crypto.Initiator, []byte) {
	t.Helper()
	i, err := crypto.NewInitiator(from, f.b.Public, crypto.PresharedKey{}, rand.Reader)
	check(t, err)
	m, err := i.Initiation(esp.AppendMarker(nil), crypto.Offer{SPI: 1 << 20, Suites: []uint16{uint16(esp.AES256GCM)}}, cookie, time.Now())
	check(t, err)
	return i, m
}

// toB sends a datagram of the hostile peer's.
func (f *flooded) toB(t *testing.T, datagram []byte) {
	t.Helper()
	_, err := f.conn.WriteTo(datagram, net.UDPAddrFromAddrPort(netip.AddrPortFrom(f.Right.B.Addr4(), gateway.Port)))
	check(t, err)
}

// answer returns b's next message to the hostile peer of the given type. Until it
// comes, ask is called again and again.
func (f *flooded) answer(t *testing.T, kind crypto.Type, ask func()) []byte {
	t.Helper()
	b := make([]byte, 2000)
	for deadline := time.Now().Add(within); time.Now().Before(deadline); {
		ask()
		for {
			check(t, f.conn.SetReadDeadline(time.Now().Add(10*time.Millisecond)))
			n, _, err := f.conn.ReadFrom(b)
			if err != nil {
				break
			}
			if n > esp.MarkerSize && esp.Classify(b[:n]) == esp.KindHandshake {
				if got, err := crypto.MessageType(b[esp.MarkerSize:n]); err == nil && got == kind {
					return bytes.Clone(b[esp.MarkerSize:n])
				}
			}
		}
	}
	t.Fatalf("no %v", kind)
	return nil
}

// cookie gets a cookie from b, as it gives when there are many initiations.
func (f *flooded) cookie(t *testing.T, from crypto.PrivateKey) crypto.Cookie {
	t.Helper()
	i, m := f.initiation(t, from, crypto.Cookie{})
	reply := f.answer(t, crypto.CookieReply, func() {
		for range 100 {
			f.toB(t, m)
		}
	})
	cookie, err := i.ConsumeCookieReply(reply)
	check(t, err)
	return cookie
}

// floodPackets is one kind of it: numbered IP packets, without end.
type floodPackets struct {
	// packet returns packet n.
	packet func(n uint64) []byte
	// seen is how many of them b has taken note of; nil: it does not say.
	seen func(*status.Status) uint64
}

func drops(s *status.Status, reasons ...string) (n uint64) {
	for _, reason := range reasons {
		n += s.Dropped[reason]
	}
	return n
}

// asHandshakes is what handshake messages are counted as.
func asHandshakes(s *status.Status) uint64 {
	return drops(s, "handshake", "handshake_rate", "cookie_asked", "busy")
}

// datagram puts an UDP datagram to b into an IP packet.
func (f *flooded) datagram(from netip.AddrPort, payload []byte) []byte {
	const ip, udp = 20, 8
	p := make([]byte, ip+udp, ip+udp+len(payload))
	p[0], p[8], p[9] = 0x45, 64, 17
	binary.BigEndian.PutUint16(p[2:], uint16(cap(p)))
	source, destination := from.Addr().As4(), f.Right.B.Addr4().As4()
	copy(p[12:], source[:])
	copy(p[16:], destination[:])
	binary.BigEndian.PutUint16(p[ip:], from.Port())
	binary.BigEndian.PutUint16(p[ip+2:], gateway.Port)
	binary.BigEndian.PutUint16(p[ip+4:], uint16(udp+len(payload))) // no checksum
	return append(p, payload...)
}

// spoof puts source n into an IP packet.
func spoof(packet []byte, n uint64) []byte {
	binary.BigEndian.PutUint32(packet[12:], 198<<24|18<<16|uint32(n)&0x1ffff)
	return packet
}

var floods = []struct {
	name  string
	begin func(t *testing.T, f *flooded) floodPackets
}{
	{"datagrams to another port", func(_ *testing.T, f *flooded) floodPackets { // for comparison
		packet := f.datagram(f.at, make([]byte, 100))
		binary.BigEndian.PutUint16(packet[20+2:], gateway.Port+1)
		return floodPackets{func(n uint64) []byte { return spoof(packet, n) }, nil}
	}},
	{"initiations with a cookie, from one address", func(t *testing.T, f *flooded) floodPackets {
		stranger, err := crypto.GeneratePrivateKey(rand.Reader)
		check(t, err)
		_, m := f.initiation(t, stranger, f.cookie(t, stranger))
		packet := f.datagram(f.at, m)
		return floodPackets{func(uint64) []byte { return packet }, asHandshakes}
	}},
	{"initiations with a cookie, of a peer", func(t *testing.T, f *flooded) floodPackets {
		cookie := f.cookie(t, f.hostile)
		var packets [][]byte
		for range 500 { // of which each is later than the one before
			_, m := f.initiation(t, f.hostile, cookie)
			packets = append(packets, f.datagram(f.at, m))
		}
		return floodPackets{func(n uint64) []byte { return packets[n%uint64(len(packets))] }, asHandshakes}
	}},
	{"initiations without a cookie, from many addresses", func(t *testing.T, f *flooded) floodPackets {
		stranger, err := crypto.GeneratePrivateKey(rand.Reader)
		check(t, err)
		_, m := f.initiation(t, stranger, crypto.Cookie{})
		packet := f.datagram(f.at, m)
		return floodPackets{func(n uint64) []byte { return spoof(packet, n) }, asHandshakes}
	}},
	{"initiations with a wrong MAC1", func(t *testing.T, f *flooded) floodPackets {
		_, m := f.initiation(t, f.hostile, crypto.Cookie{})
		m[len(m)/2] ^= 1
		packet := f.datagram(f.at, m)
		return floodPackets{func(n uint64) []byte { return spoof(packet, n) }, asHandshakes}
	}},
	{"forged cookie replies", func(t *testing.T, f *flooded) floodPackets {
		m := make([]byte, esp.MarkerSize+64)
		m[esp.MarkerSize], m[esp.MarkerSize+1] = byte(crypto.CookieReply), 1
		packet := f.datagram(f.at, m)
		return floodPackets{func(n uint64) []byte {
			binary.BigEndian.PutUint32(packet[20+8+esp.MarkerSize+4:], uint32(n))
			return spoof(packet, n)
		}, asHandshakes}
	}},
	{"ESP with an unknown SPI", func(t *testing.T, f *flooded) floodPackets {
		packet := f.datagram(f.at, make([]byte, 100))
		return floodPackets{func(n uint64) []byte {
			binary.BigEndian.PutUint32(packet[20+8:], 1<<31|uint32(n))
			return spoof(packet, n)
		}, func(s *status.Status) uint64 { return drops(s, "unknown_spi") + f.trueState(s).Dropped["auth"] }}
	}},
	{"ESP with the SPI of the true peer", func(t *testing.T, f *flooded) floodPackets {
		spi := f.trueState(statusOf(t, f.b)).ReceiveSPI
		packet := f.datagram(netip.AddrPortFrom(f.Left.A.Addr4(), gateway.Port), make([]byte, 1300))
		return floodPackets{func(n uint64) []byte {
			binary.BigEndian.PutUint32(packet[20+8:], spi)
			binary.BigEndian.PutUint32(packet[20+8+4:], 1<<30+uint32(n))
			return packet
		}, func(s *status.Status) uint64 { return f.trueState(s).Dropped["auth"] }}
	}},
	{"forged PTBs", func(t *testing.T, f *flooded) floodPackets {
		spi := f.trueState(statusOf(t, f.b)).SendSPI
		packet := forgedPTB(f.Right.A.Addr4(), f.Right.B.Addr4(), f.Left.A.Addr4(), 600, spi, 1<<30)
		return floodPackets{func(uint64) []byte { return packet }, nil}
	}},
	{"control messages of a peer", func(t *testing.T, f *flooded) floodPackets {
		i, m := f.initiation(t, f.hostile, crypto.Cookie{})
		keys, err := i.Finish(f.answer(t, crypto.Response, func() { f.toB(t, m) }))
		check(t, err)
		out, err := esp.NewOutbound(keys.SendSPI, esp.Suite(keys.Suite), keys.Send[:])
		check(t, err)
		var scratch esp.Scratch
		return floodPackets{func(n uint64) []byte {
			sealed, _, err := out.Seal(&scratch, nil, control.AppendToken(nil, control.Echo, n), esp.NextHeaderDummy)
			if err != nil {
				return nil
			}
			return f.datagram(f.at, sealed)
		}, nil}
	}},
}

// TestFloods floods a gateway in each way. No control message of the true peer is
// lost for it, and a new peer comes up. Unless at full size, status requests in
// between keep the flood to what the machine handles.
func TestFloods(t *testing.T) {
	tier.Select(t, tier.Long, tier.EitherWay)
	rates := []int{0}
	if tier.Full() {
		rates = []int{5000, 20000, 50000}
	}
	for _, kind := range floods {
		for _, rate := range rates {
			name := kind.name
			if rate > 0 {
				name = fmt.Sprintf("%s, %d a second", name, rate)
			}
			t.Run(name, func(t *testing.T) {
				f := newFlooded(t)
				check(t, f.b.Start())
				up(t, f.a)
				exact(t, f.a, 1500)
				exact(t, f.b, 1500)
				traffic := startStream(t, f.A, f.B, innerB4, 1200, time.Millisecond).reach(100)
				attack := startAttack(t, f, kind.begin(t, f), rate)
				before, beforeA := statusOf(t, f.b), statusOf(t, f.a)
				attack.reach(2000)

				began := time.Now()
				check(t, f.newcomer.Start())
				await(t, f.newcomer, gateway.Established)
				took := time.Since(began)
				traffic.reach(traffic.sent.Load() + 500)
				attack.reach(attack.sent.Load() + 2000)
				after, afterA := statusOf(t, f.b), statusOf(t, f.a)
				perSecond := attack.stop()
				stream := traffic.stop()

				is, was := f.trueState(after), f.trueState(before)
				busy := is.Dropped["busy"] - was.Dropped["busy"]
				changes := len(is.PMTUD.History) - len(was.PMTUD.History) + len(afterA.Peers[0].PMTUD.History) - len(beforeA.Peers[0].PMTUD.History)
				tier.Figure(t, "flood of %s: %.0f a second; of the true peer %d control messages and %d of %d data packets lost, %d changes of the PLPMTU; a new peer up after %v",
					kind.name, perSecond, busy, stream.lost, stream.sent, changes, took.Round(time.Millisecond))
				t.Logf("dropped %v, of the hostile peer %v; PLPMTU %+v, from the other end %+v", after.Dropped, after.Peers[2].Dropped, is.PMTUD.History, afterA.Peers[0].PMTUD.History)
				if busy > 0 {
					t.Errorf("%d control messages of the true peer are lost", busy)
				}
				if is.Endpoint != was.Endpoint {
					t.Errorf("the true peer has moved from %s to %s", was.Endpoint, is.Endpoint)
				}
				// On a machine that has no time for it a search may begin. It ends well.
				exact(t, f.a, 1500)
				exact(t, f.b, 1500)
			})
		}
	}
}
