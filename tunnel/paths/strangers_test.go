package paths

import (
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"
)

// TestStrangersAreRarelyChallenged, whatever the order: at most once a second each,
// and ten a second together, and as many at once.
func TestStrangersAreRarelyChallenged(t *testing.T) {
	rng := rand.New(rand.NewPCG(8, 2))
	var s strangers
	last := make(map[netip.AddrPort]time.Time)
	var all []time.Time
	now := epoch
	for range 20_000 {
		now = now.Add(time.Duration(rng.IntN(30)) * time.Millisecond)
		place := addrPort("198.51.100.66", uint16(rng.IntN(40)))
		if now.Before(s.at(place)) {
			continue
		}
		s.ask(place, now)
		if d := now.Sub(last[place]); d < time.Second {
			t.Fatalf("%v again after %v", place, d)
		}
		last[place] = now
		all = append(all, now)
		if n := len(all); n > 20 && now.Sub(all[n-21]) < time.Second {
			t.Fatalf("21 within %v", now.Sub(all[n-21]))
		}
	}
	if seconds := now.Sub(epoch).Seconds(); float64(len(all)) < 9*seconds {
		t.Errorf("%d in %.0f s", len(all), seconds)
	}
}

func TestABurstOfStrangers(t *testing.T) {
	var s strangers
	n := 0
	for place := addrPort("198.51.100.66", 1); !epoch.Before(s.at(place)); place = netip.AddrPortFrom(place.Addr(), place.Port()+1) {
		s.ask(place, epoch)
		n++
	}
	if n != strangersPerSecond {
		t.Errorf("%d at once", n)
	}
}
