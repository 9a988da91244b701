package pmtud

import (
	"testing"
	"time"

	"fathom/test/tier"
)

func TestProbesAndReportsStayWithinTheirBudget(t *testing.T) {
	tier.Select(t, tier.Native)
	// Outer IP packets: a report has one word of 64 packets, or a few where
	// there are many.
	const requestSize, reportSize = 80, 104
	for _, tc := range []struct {
		name  string
		rtt   time.Duration
		rate  float64       // bit/s
		every time.Duration // between data packets
		small float64       // share of packets of some 200 bytes
		share float64       // of the rate that requests or reports may take
	}{
		{"64 kbit/s, 200 ms", 200 * time.Millisecond, 64e3, 175 * time.Millisecond, 0.2, 0.05},
		{"a voice of 64 kbit/s, 40 ms", 40 * time.Millisecond, 64e3, 25 * time.Millisecond, 1, 0.05},
		{"10 Gbit/s, 1 ms", time.Millisecond, 10e9, 10 * time.Millisecond, 0.2, 1e-5},
	} {
		t.Run(tc.name, func(t *testing.T) {
			m := newPath(1400)
			m.delay, m.small = tc.rtt/2, tc.small
			m.begin(1500)
			m.run(time.Minute, func() bool { return m.d.State() == SearchComplete })
			search, took := m.probeBytes, m.now.Sub(epochStart)
			m.probeBytes = 0
			m.flowing(tc.every, time.Hour)
			hour := float64(m.probeBytes) * 8 / 3600
			asking := float64(m.requests*requestSize) * 8 / 3600
			answering := float64(m.requests*reportSize) * 8 / 3600
			t.Logf("search: %d bytes in %v; then probes %.0f bit/s (%.4f %%), requests %.0f bit/s (%.4f %%), reports %.0f bit/s the other way",
				search, took, hour, hour/tc.rate*100, asking, asking/tc.rate*100, answering)
			interval := max(tc.rtt/2, requestInterval)
			if limit := int(time.Hour/interval) + 1; m.requests > limit {
				t.Errorf("%d requests, want at most %d", m.requests, limit)
			}
			if max(asking, answering) > tc.share*tc.rate || m.requests == 0 {
				t.Errorf("requests take %.0f bit/s, reports %.0f", asking, answering)
			}
			if search > 4*(fanBytes+1228) {
				t.Errorf("the search took %d bytes", search)
			}
			if raises := 7 + 6; m.probeBytes > raises*2*fanBytes { // 5, 10 … 320 s, then each 600 s
				t.Errorf("%d bytes of probes in an hour", m.probeBytes)
			}
		})
	}
}

// TestRoundTripsBesideOthers prints the rows of the comparison with other
// implementations for this one.
func TestRoundTripsBesideOthers(t *testing.T) {
	t.Log("path MTU   exact after   proved after   probes   bytes   final")
	for _, mtu := range []int{1500, 1492, 1450, 1400, 1380, 1350, 1300, 9000, 4470, 1006} {
		egress := 1500
		if mtu > 1500 {
			egress = 9216
		}
		exact, proved, m := start(t, mtu, egress, false, false)
		t.Logf("%8d   %7.2f RTT   %8.2f RTT   %6d   %5d   %5d", mtu, exact, proved, m.probes, m.probeBytes, m.d.PLPMTU())
		if exact > 5 {
			t.Errorf("MTU %d took %.2f RTT", mtu, exact)
		}
	}
}
