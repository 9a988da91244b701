package pmtud

// A grid holds the sizes that a packet can have, and the bounds among them.
type grid struct {
	step, residue  int
	min, base, max int // MIN_PLPMTU, BASE_PLPMTU, MAX_PLPMTU: sizes of the grid
}

// floor returns the largest size of the grid up to n.
func (g grid) floor(n int) int {
	if n < g.residue {
		return 0
	}
	return n - (n-g.residue)%g.step
}

// ceil returns the smallest size of the grid from n.
func (g grid) ceil(n int) int { return g.floor(n + g.step - 1) }

// bounds returns the grid for an endpoint whose packets may have up to egress
// bytes. It raises a MAX_PLPMTU below MIN_PLPMTU to MIN_PLPMTU: such a link
// carries no tunnel.
func (c Config) bounds(ipv6 bool, egress int) grid {
	g := grid{step: c.Step, residue: c.Residue}
	floor, base := minIPv4, baseIPv4
	if ipv6 {
		floor, base = minIPv6, minIPv6
	}
	if c.MinPLPMTU > 0 {
		floor = c.MinPLPMTU
		if ipv6 {
			floor = max(floor, minIPv6)
		}
	}
	if c.BasePLPMTU > 0 {
		base = c.BasePLPMTU
	}
	g.min = g.ceil(floor)
	g.max = max(g.floor(min(c.MaxPLPMTU, egress, maxPacket)), g.min)
	g.base = min(max(g.floor(base), g.min), g.max)
	return g
}
