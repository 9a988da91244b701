package pmtud

import "testing"

func TestBounds(t *testing.T) {
	for _, tc := range []struct {
		name           string
		cfg            Config
		ipv6           bool
		egress         int
		min, base, max int
	}{
		{"IPv4 behind Ethernet", Config{}, false, 1500, 576, 1228, 1500},
		{"IPv6 behind Ethernet", Config{}, true, 1500, 1280, 1280, 1500},
		{"an egress MTU between two sizes", Config{}, false, 1497, 576, 1228, 1496},
		{"an egress MTU below BASE_PLPMTU", Config{}, false, 1000, 576, 1000, 1000},
		{"an egress MTU below MIN_PLPMTU", Config{}, false, 100, 576, 576, 576},
		{"an egress MTU beyond an IP packet", Config{}, false, 1 << 20, 576, 1228, 65532},
		{"a configured MAX_PLPMTU", Config{MaxPLPMTU: 1400}, false, 1500, 576, 1228, 1400},
		{"a configured MIN_PLPMTU, rounded up", Config{MinPLPMTU: 1001}, false, 1500, 1004, 1228, 1500},
		{"a MIN_PLPMTU that IPv6 does not allow", Config{MinPLPMTU: 1000}, true, 1500, 1280, 1280, 1500},
		{"a MIN_PLPMTU above BASE_PLPMTU", Config{MinPLPMTU: 1300}, false, 1500, 1300, 1300, 1500},
		{"a configured BASE_PLPMTU, rounded down", Config{BasePLPMTU: 1303}, false, 1500, 576, 1300, 1500},
		{"another alignment", Config{Step: 16, Residue: 10}, false, 1500, 586, 1226, 1498},
	} {
		t.Run(tc.name, func(t *testing.T) {
			g := tc.cfg.withDefaults().bounds(tc.ipv6, tc.egress)
			if g.min != tc.min || g.base != tc.base || g.max != tc.max {
				t.Errorf("%d, %d, %d, want %d, %d, %d", g.min, g.base, g.max, tc.min, tc.base, tc.max)
			}
		})
	}
}

func TestFloorAndCeil(t *testing.T) {
	for _, tc := range []struct{ step, residue, n, floor, ceil int }{
		{4, 0, 1500, 1500, 1500},
		{4, 0, 1499, 1496, 1500},
		{4, 2, 1500, 1498, 1502},
		{4, 2, 1, 0, 2},
		{1, 0, 1499, 1499, 1499},
		{4, 0, -5, 0, 0},
	} {
		g := grid{step: tc.step, residue: tc.residue}
		if floor, ceil := g.floor(tc.n), g.ceil(tc.n); floor != tc.floor || ceil != tc.ceil {
			t.Errorf("%d modulo %d, from %d: %d and %d, want %d and %d", tc.residue, tc.step, tc.n, floor, ceil, tc.floor, tc.ceil)
		}
	}
}
