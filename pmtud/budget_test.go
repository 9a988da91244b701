package pmtud

import "testing"

func TestABudgetAdapts(t *testing.T) {
	lost, unhurt := result{}, result{heard: true, fitting: 2}
	for _, tc := range []struct {
		name    string
		from    budget
		results []result
		want    budget
	}{
		{"up to ten packets of MAX_PLPMTU", initialBudget, []result{unhurt, unhurt, unhurt, unhurt}, budget{fanPackets, fanPackets * 9000}},
		{"twofold", initialBudget, []result{unhurt}, budget{fanPackets, 2 * fanBytes}},
		{"by half without an answer", initialBudget, []result{lost}, budget{fanPackets / 2, fanBytes / 2}},
		{"by half if half of the small probes are lost", initialBudget, []result{{heard: true, fitting: 4, fittingLost: 2}}, budget{fanPackets / 2, fanBytes / 2}},
		{"upwards if fewer are lost", initialBudget, []result{{heard: true, fitting: 4, fittingLost: 1}}, budget{fanPackets, 2 * fanBytes}},
		{"upwards if the only small one is lost", initialBudget, []result{{heard: true, fitting: 1, fittingLost: 1}}, budget{fanPackets, 2 * fanBytes}},
		{"down to a minimum", initialBudget, []result{lost, lost, lost, lost}, budget{minFan, fanBytes / 2}},
		{"and recovers", budget{minFan, fanBytes / 2}, []result{unhurt, unhurt}, budget{fanPackets, 2 * fanBytes}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := tc.from
			for _, r := range tc.results {
				b.adapt(r, 9000)
			}
			if b != tc.want {
				t.Errorf("%+v, want %+v", b, tc.want)
			}
		})
	}
}
