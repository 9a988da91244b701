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
		reader := &eager{load: load{payload: 50000, segment: 1386, ecn: ecn}}
		d.transmit.reader = reader
		var marked, segments, whole atomic.Int64
		headers := reader.headers()
		d.receiver.writer = lookAt(func(parts [][]byte) {
			if parts[0][1]&3 == 3 {
				marked.Add(1)
			}
			for i, part := range parts {
				n := len(part)
				if i == 0 {
					n -= headers
				}
				segments.Add(1)
				whole.Add(int64(n))
			}
		})
		var loop sync.WaitGroup
		loop.Go(d.receiver.run)
		// A queue does not stand while the machine does, but some time it will.
		var lost, want, most int64
		for end := time.Now().Add(hanging); marked.Load()+lost == 0 && time.Now().Before(end); {
			reader.limit += 60
			most += 30
			if err := d.transmit.run(); err != nil {
				t.Fatal(err)
			}
			lost = int64(d.peer.drops[dropStanding].Load())
			want = reader.limit*int64(reader.payload) - lost*1386
			for whole.Load() < want && time.Now().Before(end) {
				time.Sleep(20 * time.Millisecond)
			}
		}
		d.to.Close()
		loop.Wait()
		t.Logf("ECN %v: %d packets marked, %d segments lost, %d arrived", ecn, marked.Load(), lost, segments.Load())
		if whole.Load() != want {
			t.Errorf("ECN %v: %d bytes have arrived, want %d", ecn, whole.Load(), want)
		}
		if ecn && (marked.Load() == 0 || lost > 0) || !ecn && (marked.Load() > 0 || lost == 0) || lost > most || marked.Load() > most {
			t.Errorf("ECN %v: %d packets marked, %d segments lost", ecn, marked.Load(), lost)
		}
	}
}
