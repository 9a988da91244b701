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
		less bool // p completes it
	}{
		{"itself", p, true, false},
		{"another interface", Pair{2, p.Local, remote}, true, false},
		{"the kernel chooses the interface", Pair{0, p.Local, remote}, true, true},
		{"the kernel chooses the address", Pair{1, netip.Addr{}, remote}, true, true},
		{"the kernel chooses both", Pair{0, netip.Addr{}, remote}, true, true},
		{"the kernel chooses the address, by another interface", Pair{2, netip.Addr{}, remote}, true, false},
		{"another address", Pair{1, addr("10.0.0.2"), remote}, false, false},
		{"the kernel chooses the interface of another address", Pair{0, addr("10.0.0.2"), remote}, false, false},
		{"another port", Pair{1, p.Local, addrPort("192.0.2.1", 4501)}, false, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if p.sameEnds(tc.q) != tc.same || tc.q.sameEnds(p) != tc.same {
				t.Errorf("same ends: %v", !tc.same)
			}
			if p.completes(tc.q) != tc.less || tc.q.completes(p) {
				t.Errorf("completes: %v, and %v the other way", p.completes(tc.q), tc.q.completes(p))
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
