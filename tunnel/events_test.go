package tunnel

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

// TestKindsOfEventsTakeTurns: a flood of some kinds delays none of the others by
// more than a round.
func TestKindsOfEventsTakeTurns(t *testing.T) {
	all := []kind{ofPeer, ofRequest, ofAnswer, ofInitiation}
	for flood := range 1 << len(all) { // a set of kinds
		t.Run(fmt.Sprintf("%04b", flood), func(t *testing.T) {
			e := newEvents(nil, nil, new(drops), nil)
			flooders := []*peer{{}, {}}
			var taken []kind
			add := func(k kind, p *peer) bool {
				what := func(*controller, time.Time) { taken = append(taken, k) }
				if k == ofPeer {
					return e.write(p, letter{what, true})
				}
				return e.post(k, what)
			}
			fill := func() {
				for _, k := range all {
					for flood&(1<<k) != 0 && (add(k, flooders[0]) || add(k, flooders[1])) {
					}
				}
			}
			fill()
			for _, k := range all {
				quiet := new(peer)
				for k == ofPeer || flood&(1<<k) == 0 {
					taken = taken[:0]
					if !add(k, quiet) {
						t.Fatalf("kind %d has no room", k)
					}
					for range order { // and with peers, one of each
						fill()
						if event := e.take(); event != nil {
							event(nil, time.Time{})
						}
					}
					if !slices.Contains(taken, k) {
						t.Errorf("kind %d waits for %v", k, taken)
					}
					break
				}
			}
			for e.take() != nil {
			}
			if n := e.waiting(); n != 0 {
				t.Errorf("%d events are left", n)
			}
		})
	}
}

// TestReadyTellsOfEveryEvent: whoever waits for ready and takes one finds all.
func TestReadyTellsOfEveryEvent(t *testing.T) {
	e := newEvents(nil, nil, new(drops), nil)
	p := new(peer)
	const each = 50
	go func() {
		for range each {
			e.notify(p, func(*controller, time.Time) {})
			_ = e.deliver(t.Context(), ofInitiation, func(*controller, time.Time) {})
			_ = e.deliver(t.Context(), ofRequest, func(*controller, time.Time) {})
			time.Sleep(time.Microsecond)
		}
	}()
	lost := maxNotices // those may be; the rest not
	for taken := 0; taken < 3*each-max(0, each-lost); {
		select {
		case <-e.ready:
		case <-time.After(time.Minute):
			t.Fatalf("%d events taken, %d wait", taken, e.waiting())
		}
		if e.take() != nil {
			taken++
		}
	}
}
