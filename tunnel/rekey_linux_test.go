package tunnel

import (
	"encoding/binary"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"fathom/test/tier"
)

func TestRekeyLosesNoPacket(t *testing.T) {
	tier.Select(t)
	const rekeys = 20
	left, right := newPair(t)
	// Each handshake is due at the next look; the packets flow on meanwhile.
	left.config.Tunnel.RekeyAfterPackets = 50
	right.config.Tunnel.RekeyAfterPackets = 50
	right.start()
	left.start()
	eventually(t, "established", hanging, func() bool { return left.established() && right.established() })

	const underWay = 256 // at most: the sockets have room for more
	stream := func(from, to *end, source, destination string, stop <-chan struct{}) (sent, received, late uint64) {
		done := make(chan struct{})
		var arrived atomic.Uint64 // received, for the sender
		var highest uint64
		total := make(chan uint64, 1)
		go func() {
			defer close(done)
			want := uint64(1 << 62)
			for received < want {
				select {
				case p := <-to.device.Inbound:
					received++
					arrived.Store(received)
					if n := binary.BigEndian.Uint64(p[20:]); n < highest {
						late++
					} else {
						highest = n
					}
				case want = <-total:
				case <-time.After(hanging):
					return
				}
			}
		}()
		for {
			select {
			case <-stop:
				total <- sent
				<-done
				return sent, received, late
			default:
			}
			packet := ipv4Packet(source, destination, 64)
			binary.BigEndian.PutUint64(packet[20:], sent)
			from.device.Outbound <- packet
			sent++
			if sent%8 == 0 {
				time.Sleep(time.Millisecond)
			}
			for end := time.Now().Add(hanging); sent-arrived.Load() > underWay && time.Now().Before(end); {
				time.Sleep(time.Millisecond)
			}
		}
	}
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for _, way := range []struct {
		from, to            *end
		source, destination string
	}{{left, right, leftIP, rightIP}, {right, left, rightIP, leftIP}} {
		wg.Go(func() {
			sent, received, late := stream(way.from, way.to, way.source, way.destination, stop)
			t.Logf("%s to %s: %d packets sent, %d received, %d late", way.source, way.destination, sent, received, late)
			if received != sent || sent == 0 {
				t.Errorf("%d of %d packets received", received, sent)
			}
			if late > 0 {
				t.Errorf("%d packets were overtaken", late)
			}
		})
	}
	eventually(t, "rekeys", time.Minute, func() bool {
		return left.status().Peers[0].Handshakes > rekeys && right.status().Peers[0].Handshakes > rekeys
	})
	close(stop)
	wg.Wait()
	for _, e := range []*end{left, right} {
		s := e.status()
		t.Logf("%d rekeys, dropped %v, peer's %v", s.Peers[0].Handshakes-1, s.Dropped, s.Peers[0].Dropped)
		if s.Dropped["unknown_spi"]+s.Peers[0].Dropped["replay"] > 0 {
			t.Error("packets were dropped")
		}
	}
}
