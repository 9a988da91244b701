//go:build linux

package test

import (
	"crypto/rand"
	"fmt"
	mrand "math/rand/v2"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"fathom/crypto"
	"fathom/esp"
	"fathom/test/gateway"
	"fathom/test/netlab/labtest"
	"fathom/test/tier"
	"fathom/tunnel/status"
)

// settle is a time in which an answer would have come. A slower machine notices
// less in it, and is never wrong.
const settle = 300 * time.Millisecond

// TestReplay sends everything that the router has seen on its way to B a
// second time, from A's address. Nothing of it may arrive inside again, and no
// answer may come.
func TestReplay(t *testing.T) {
	tier.Select(t)
	p := newPair(t, overIPv4, "")
	wire := labtest.Capture(t, p.Right.A)
	up(t, p.a, p.b)
	bulk(t, p.A, p.B, innerB4, 1<<20)
	startStream(t, p.A, p.B, innerB4, 100, time.Millisecond).reach(300).stop()

	before := rested(t, p.b)
	replayed := 0
	counted := func() {
		await(t, p.b, func(s *status.Status) bool {
			return s.Peers[0].Dropped["replay"]-before.Dropped["replay"] >= uint64(replayed)*9/10
		})
	}
	began, answers := time.Now(), p.Right.B.Stats().TxPackets
	check(t, p.R.Do(func() error {
		raw, err := rawSocket()
		if err != nil {
			return err
		}
		defer unix.Close(raw)
		for _, packet := range wire.Packets() {
			if packet.Sent && udpPayload(packet.Data) != nil {
				replayed++
				err = unix.Sendto(raw, packet.Data, 0, &unix.SockaddrInet4{Addr: p.Right.B.Addr4().As4()})
				if err != nil {
					return err
				}
				if replayed%100 == 0 {
					counted() // so that the socket has room
				}
			}
		}
		return nil
	}))
	if replayed < 1000 {
		t.Fatalf("only %d packets were replayed", replayed)
	}
	counted()
	time.Sleep(settle)
	after := statusOf(t, p.b).Peers[0]
	if after.RxPackets != before.RxPackets || after.Handshakes != before.Handshakes || after.SendSPI != before.SendSPI {
		t.Errorf("before %+v, after %+v", before, after)
	}
	const own = 10 // packets a second: the gateway's echoes, and the host's
	if n, most := p.Right.B.Stats().TxPackets-answers, own*(1+time.Since(began).Seconds()); float64(n) > most {
		t.Errorf("%d packets in answer to %d replayed ones", n, replayed)
	}
	pinger(t, p.A, innerB4)
}

// rested waits until a gateway has counted what has come to it: packets are counted
// a moment after the host gets them.
func rested(t *testing.T, g *gateway.Gateway) status.Peer {
	t.Helper()
	for last := statusOf(t, g).Peers[0]; ; {
		time.Sleep(settle)
		now := statusOf(t, g).Peers[0]
		if now.RxPackets == last.RxPackets {
			return now
		}
		last = now
	}
}

// rawSocket sends whole IP packets, with any source address.
func rawSocket() (int, error) {
	return unix.Socket(unix.AF_INET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_RAW)
}

// TestInitiationsReplayedAfterARestart replays recorded first messages to a
// responder that has forgotten them: it may answer, but must not take down
// or move the tunnel that lives.
func TestInitiationsReplayedAfterARestart(t *testing.T) {
	tier.Select(t, tier.EitherWay)
	p := newPair(t, overIPv4, "")
	check(t, p.b.Configure("", gateway.Peer{Gateway: p.a})) // it does not call, so a does
	wire := labtest.Capture(t, p.Right.A)
	up(t, p.b, p.a)
	check(t, p.b.Stop())
	up(t, p.b)
	await(t, p.a, gateway.Established)
	pinger(t, p.A, innerB4)
	mallory, err := p.R.Dial("udp", fmt.Sprintf("%s:%d", p.Right.B.Addr4(), gateway.Port))
	check(t, err)
	defer mallory.Close()
	sent := 0
	recorded := wire.Packets() // once, since the replays are recorded too
	for range 50 {
		for _, packet := range recorded {
			if packet.Sent && handshakeType(packet.Data) == byte(crypto.Initiation) {
				mallory.Write(udpPayload(packet.Data))
				sent++
			}
		}
	}
	if sent == 0 {
		t.Fatal("no initiation was recorded")
	}
	time.Sleep(settle)
	s := statusOf(t, p.b).Peers[0]
	if want := fmt.Sprintf("%s:%d", p.Left.A.Addr4(), gateway.Port); s.State != status.PeerEstablished || s.Endpoint != want {
		t.Errorf("state %s, endpoint %s; want it established at %s", s.State, s.Endpoint, want)
	}
	pinger(t, p.A, innerB4)
}

// TestStrangersGetNoAnswer sends everything to the port that a host without keys
// can make up.
func TestStrangersGetNoAnswer(t *testing.T) {
	tier.Select(t, tier.EitherWay)
	p := newPair(t, overIPv4, "")
	up(t, p.a, p.b)
	pinger(t, p.A, innerB4)
	stranger, err := p.R.Dial("udp", fmt.Sprintf("%s:%d", p.Right.B.Addr4(), gateway.Port))
	check(t, err)
	defer stranger.Close()
	before := statusOf(t, p.b)

	random := mrand.NewChaCha8([32]byte{2})
	sent := 0
	dropped := func(s *status.Status) (n uint64) {
		for _, count := range s.Dropped {
			n += count
		}
		return n + s.Peers[0].Dropped["auth"]
	}
	const few = 10 // may get lost
	counted := func() *status.Status {
		return await(t, p.b, func(s *status.Status) bool { return dropped(s)-dropped(before)+few >= uint64(sent) })
	}
	send := func(b []byte) {
		_, err := stranger.Write(b)
		check(t, err)
		if sent++; sent%256 == 0 {
			counted() // so that the socket has room
		}
	}
	for size := range 256 {
		b := make([]byte, size)
		random.Read(b)
		send(b)
		send(append(make([]byte, esp.MarkerSize), b...)) // a handshake message of no type
		for kind := range byte(5) {
			send(append(append(make([]byte, esp.MarkerSize), kind, 1), b...))
		}
	}
	send([]byte{0xff})
	send(make([]byte, 9000))
	// A correct handshake, but meant for another responder.
	own, err := crypto.GeneratePrivateKey(rand.Reader)
	check(t, err)
	initiator, err := crypto.NewInitiator(own, p.a.Public, crypto.PresharedKey{}, rand.Reader)
	check(t, err)
	message, err := initiator.Initiation(esp.AppendMarker(nil), crypto.Offer{SPI: 1 << 20, Suites: []uint16{uint16(esp.AES256GCM)}}, crypto.Cookie{}, time.Now())
	check(t, err)
	send(message)
	// The same for this responder, by a key that is no peer's: it may be
	// recognised as such, and logged, but not answered.
	initiator, err = crypto.NewInitiator(own, p.b.Public, crypto.PresharedKey{}, rand.Reader)
	check(t, err)
	message, err = initiator.Initiation(esp.AppendMarker(nil), crypto.Offer{SPI: 1 << 20, Suites: []uint16{uint16(esp.AES256GCM)}}, crypto.Cookie{}, time.Now())
	check(t, err)
	for i := range message {
		changed := append([]byte(nil), message...)
		changed[i] ^= 1
		send(changed)
	}
	send(message)
	// ESP under the SPI that is in use.
	forged := make([]byte, 100)
	spi := before.Peers[0].ReceiveSPI
	forged[0], forged[1], forged[2], forged[3], forged[7] = byte(spi>>24), byte(spi>>16), byte(spi>>8), byte(spi), 200
	send(forged)

	check(t, stranger.SetReadDeadline(time.Now().Add(settle)))
	if n, err := stranger.Read(make([]byte, 2000)); err == nil {
		t.Errorf("a stranger got an answer of %d bytes", n)
	} else if timeout, ok := err.(net.Error); !ok || !timeout.Timeout() {
		t.Errorf("a stranger got %v", err)
	}
	after := counted()
	if n := dropped(after) - dropped(before); n > uint64(sent)+few {
		t.Errorf("%d datagrams are counted as dropped, %d were sent", n, sent)
	}
	if after.Peers[0].State != status.PeerEstablished || after.Peers[0].Endpoint != before.Peers[0].Endpoint {
		t.Errorf("before %+v, after %+v", before.Peers[0], after.Peers[0])
	}
	pinger(t, p.A, innerB4)
}

// TestFloodOfInitiations floods the port with messages that bear the right
// MAC: those without a peer's key cost little and move nothing, and a true
// peer still comes up.
func TestFloodOfInitiations(t *testing.T) {
	tier.Select(t, tier.EitherWay)
	p := newPair(t, overIPv4, "")
	check(t, p.b.Start())
	statusOf(t, p.b)
	stranger, err := p.R.Dial("udp", fmt.Sprintf("%s:%d", p.Right.B.Addr4(), gateway.Port))
	check(t, err)
	defer stranger.Close()
	own, err := crypto.GeneratePrivateKey(rand.Reader)
	check(t, err)
	var messages [][]byte
	for range 200 {
		initiator, err := crypto.NewInitiator(own, p.b.Public, crypto.PresharedKey{}, rand.Reader)
		check(t, err)
		m, err := initiator.Initiation(esp.AppendMarker(nil), crypto.Offer{SPI: 1 << 20, Suites: []uint16{uint16(esp.AES256GCM)}}, crypto.Cookie{}, time.Now())
		check(t, err)
		messages = append(messages, m)
	}
	var flooded atomic.Int64
	quit, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case <-quit:
				return
			default:
				stranger.Write(messages[int(flooded.Add(1))%len(messages)])
				time.Sleep(200 * time.Microsecond)
			}
		}
	}()
	// The flood is there, and has not been drained when the tunnel comes up.
	await(t, p.b, func(s *status.Status) bool { return flooded.Load() > 2000 && s.Dropped["handshake"] > 0 })
	began := time.Now()
	up(t, p.a)
	pinger(t, p.A, innerB4)
	t.Logf("established after %v", time.Since(began).Round(time.Millisecond))
	close(quit)
	<-ended
	t.Logf("in a flood of %d initiations", flooded.Load())
}
