package pmtud

import (
	"testing"
	"time"
)

// TestCounts: what each event of a path adds to them, beside probes.
func TestCounts(t *testing.T) {
	forged := PTB{MTU: 1300}
	lying := PTB{MTU: 1300, Size: 1500, Validated: true}
	for _, tc := range []struct {
		name   string
		happen func(m *model)
		want   Counts // of its fields other than those of probes
	}{
		{"nothing", func(m *model) {}, Counts{}},
		{"a black hole", func(m *model) { m.mtu = 1400 }, Counts{BlackHoles: 1}},
		{"two black holes", func(m *model) {
			m.mtu = 1400
			m.flowing(time.Millisecond, time.Second)
			m.mtu = 1300
		}, Counts{BlackHoles: 2}},
		{"a shrink that the router tells of", func(m *model) { m.mtu, m.ptb, m.ptbDelay = 1400, true, time.Microsecond }, Counts{PTBsBelieved: 1}},
		{"a PTB that proves nothing", func(m *model) { m.d.PTB(forged, m.now) }, Counts{PTBsRefused: 1}},
		{"a PTB without news", func(m *model) { m.d.PTB(PTB{MTU: 1500, Size: 1500, Validated: true}, m.now) }, Counts{PTBsRefused: 1}},
		{"PTBs that probes contradict, until they are ignored", func(m *model) {
			for range 5 {
				m.d.PTB(lying, m.now)
				m.run(time.Second, nil)
			}
		}, Counts{PTBsBelieved: ptbContradicted, PTBsRefused: 2, FalseAlarms: ptbContradicted}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			m := complete(t, 1500, 1500)
			m.flowing(time.Millisecond, time.Second)
			tc.happen(m)
			m.flowing(time.Millisecond, time.Second)
			got := *m.d.cfg.Counts
			if got.Probes == 0 || got.Acked == 0 || got.Acked > got.Probes {
				t.Errorf("%d probes, %d of them acknowledged", got.Probes, got.Acked)
			}
			if tc.want.BlackHoles > 0 && got.Probes == got.Acked {
				t.Error("all probes are acknowledged, in spite of the black hole")
			}
			got.Probes, got.Acked = 0, 0
			// Several packets may draw a PTB each.
			if tc.want.PTBsBelieved == 1 && got.PTBsBelieved >= 1 {
				got.PTBsBelieved, got.PTBsRefused = 1, 0
			}
			if got != tc.want {
				t.Errorf("%+v, want %+v", got, tc.want)
			}
		})
	}
}

// falseAlarms is how many the model's discovery has counted.
func (m *model) falseAlarms() int { return int(m.d.cfg.Counts.FalseAlarms) }

// TestDiscoveriesShareCounts, as those of a peer's paths do.
func TestDiscoveriesShareCounts(t *testing.T) {
	var shared Counts
	for range 2 {
		d := New(Config{Counts: &shared})
		d.NewEndpoint(Endpoint{EgressMTU: 1500}, time.Unix(0, 0))
		before := shared.Probes
		probes := 0
		for _, a := range d.Poll(nil, time.Unix(0, 0)) {
			if a.Kind == SendProbe {
				probes++
			}
		}
		if probes == 0 || shared.Probes != before+uint64(probes) {
			t.Errorf("%d probes: %d counted", probes, shared.Probes-before)
		}
	}
}
