package tunnel

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"fathom/conf"
)

// TestSendersAreToldOfAStandingQueue by marks, if they know ECN, and otherwise
// by a loss now and then: of one segment, never of a superpacket.
func TestSendersAreToldOfAStandingQueue(t *testing.T) {
	for _, ecn := range []bool{false, true} {
		link, from, to := cable(t)
		link.A.LimitRate(16_000_000, 64<<20)
		d := ends{offload: true, config: conf.Tunnel{Oversize: conf.OversizeCarry}, from: from, to: to}.join(t)
		reader := &eager{load: load{payload: 50000, segment: 1386, ecn: ecn}, limit: 60}
		d.transmit.reader = reader
		marked, segments := 0, 0
		var whole atomic.Int64
		headers := reader.headers()
		d.receiver.writer = lookAt(func(parts [][]byte) {
			if parts[0][1]&3 == 3 {
				marked++
			}
			for i, part := range parts {
				n := len(part)
				if i == 0 {
					n -= headers
				}
				segments++
				whole.Add(int64(n))
			}
		})
		var loop sync.WaitGroup
		loop.Go(d.receiver.run)
		if err := d.transmit.run(); err != nil {
			t.Fatal(err)
		}
		lost := int(d.peer.drops[dropStanding].Load())
		want := int(reader.limit)*reader.payload - lost*1386
		for end := time.Now().Add(hanging); int(whole.Load()) < want && time.Now().Before(end); {
			time.Sleep(20 * time.Millisecond)
		}
		d.to.Close()
		loop.Wait()
		t.Logf("ECN %v: %d packets marked, %d segments lost, %d arrived", ecn, marked, lost, segments)
		if int(whole.Load()) != want {
			t.Errorf("ECN %v: %d bytes have arrived, want %d", ecn, whole.Load(), want)
		}
		if ecn && (marked == 0 || lost > 0) || !ecn && (marked > 0 || lost == 0) || lost > 30 || marked > 30 {
			t.Errorf("ECN %v: %d packets marked, %d segments lost", ecn, marked, lost)
		}
	}
}
