package tunnel

import (
	"net/netip"
	"testing"
	"time"
)

// TestRefusals: however packets alternate between places, few are looked up, and each
// again in time.
func TestRefusals(t *testing.T) {
	const each, packets = 5 * time.Second, 1000
	for _, places := range []int{1, 2, 3, 4, 5, 100} {
		var r refusals
		lookups := make(map[netip.AddrPort]int)
		now, total := time.Unix(1000, 0), 0
		for n := range packets {
			place := netip.AddrPortFrom(netip.MustParseAddr("192.0.2.1"), uint16(1+n%places))
			if !r.has(place, now) {
				r.add(place, now)
				lookups[place]++
				total++
			}
			if !r.has(place, now) {
				t.Fatalf("%d places: one is looked up at once again", places)
			}
			now = now.Add(each / packets)
		}
		seconds := int(each / refusedFor)
		if most := min(places, maxRefusals) * (seconds + 1); total > most || total < min(places, maxRefusals)*(seconds-1) {
			t.Errorf("%d places: %d look-ups in %d seconds, want about %d", places, total, seconds, most)
		}
		if places <= maxRefusals && len(lookups) != places {
			t.Errorf("%d places: %d are looked up", places, len(lookups))
		}
	}
}
