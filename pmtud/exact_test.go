package pmtud

import (
	"math/rand/v2"
	"testing"
	"time"

	"fathom/test/tier"
)

// start runs a clean path from the start and returns the round trips until the
// PLPMTU was exact and until it was proved.
func start(t *testing.T, mtu, egress int, v6 bool, trace bool) (exact, proved float64, m *model) {
	t.Helper()
	m = newModel(Config{}, rand.New(rand.NewPCG(1, 2)))
	m.mtu, m.delay = mtu, 10*time.Millisecond
	if trace {
		m.trace = t.Logf
	}
	m.d.SeedRTT(m.rtt())
	m.d.NewEndpoint(Endpoint{IPv6: v6, EgressMTU: egress}, m.now)
	m.d.SeedRTT(m.rtt())
	begin := m.now
	if !m.run(20*m.rtt(), func() bool { return m.d.PLPMTU() == m.exact() }) {
		t.Fatalf("MTU %d: PLPMTU is %d, want %d (state %v, %s)", mtu, m.d.PLPMTU(), m.exact(), m.d.State(), m.trouble)
	}
	exact = float64(m.now.Sub(begin)) / float64(m.rtt())
	done := func() bool { return m.d.State() == SearchComplete || m.d.State() == Error && m.d.settled }
	if !m.run(20*m.rtt(), done) {
		t.Fatalf("MTU %d: search does not end", mtu)
	}
	if m.d.PLPMTU() != m.exact() {
		t.Fatalf("MTU %d: ends at %d, want %d", mtu, m.d.PLPMTU(), m.exact())
	}
	return exact, float64(m.now.Sub(begin)) / float64(m.rtt()), m
}

func TestEveryPathIsExactWithinItsRoundTrips(t *testing.T) {
	tier.Select(t, tier.Quick, tier.Native)
	each := 1
	if testing.Short() {
		each = 4
	}
	for _, tc := range []struct {
		name             string
		from, to, egress int
		v6               bool
		limit            float64
	}{
		{"IPv4 paths of 1280 to 1500 behind Ethernet", 1280, 1500, 1500, false, 3},
		{"IPv6 paths of 1280 to 1500 behind Ethernet", 1280, 1500, 1500, true, 3},
		{"IPv4 paths of 1280 to 1500 behind a jumbo interface", 1280, 1500, 9000, false, 4},
		{"IPv4 paths up to 9216", 1280, 9216, 9216, false, 5},
		{"IPv6 paths up to 9000", 1280, 9000, 9000, true, 5},
		{"IPv4 paths below the base size", 576, 1227, 1500, false, 6},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var hist, proofs [32]int
			worst, worstProof, at := 0.0, 0.0, 0
			for mtu := tc.from; mtu <= tc.to; mtu += each {
				exact, proved, _ := start(t, mtu, tc.egress, tc.v6, false)
				hist[int(exact+0.99)]++
				proofs[int(proved+0.99)]++
				if exact > worst {
					worst, at = exact, mtu
				}
				worstProof = max(worstProof, proved)
			}
			t.Logf("exact after at most %.2f RTT (MTU %d), proved after %.2f; by RTT %v, proved %v", worst, at, worstProof, hist[:10], proofs[:10])
			if worst > tc.limit+0.01 {
				t.Errorf("exact after %.2f RTT at MTU %d, want at most %v", worst, at, tc.limit)
				start(t, at, tc.egress, tc.v6, true)
			}
		})
	}
}
