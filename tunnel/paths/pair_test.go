package paths

import (
	"net/netip"
	"testing"
)

func TestPairsOfTheSameEnds(t *testing.T) {
	remote := addrPort("192.0.2.1", 4500)
	p := Pair{1, addr("10.0.0.1"), remote}
	for _, tc := range []struct {
		name string
		q    Pair
		same bool
	}{
		{"itself", p, true},
		{"another interface", Pair{2, p.Local, remote}, true},
		{"the kernel chooses the address", Pair{0, netip.Addr{}, remote}, true},
		{"another address", Pair{1, addr("10.0.0.2"), remote}, false},
		{"another port", Pair{1, p.Local, addrPort("192.0.2.1", 4501)}, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if p.sameEnds(tc.q) != tc.same || tc.q.sameEnds(p) != tc.same {
				t.Errorf("same ends: %v", !tc.same)
			}
		})
	}
	if got := p.String(); got != "1 10.0.0.1 > 192.0.2.1:4500" {
		t.Error(got)
	}
}

func TestTheUplinkCostsFirst(t *testing.T) {
	costs := []Cost{{0, 0}, {0, 1}, {0, heardEndpoint}, {1, 0}, {1, 2}}
	for i, a := range costs {
		for j, b := range costs {
			got := a.compare(b)
			if (got < 0) != (i < j) || (got > 0) != (i > j) {
				t.Errorf("%v to %v: %d", a, b, got)
			}
		}
	}
}
