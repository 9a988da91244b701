package host

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
)

func TestPickWays(t *testing.T) {
	// by returns as many ways as there are addresses, with what they are of.
	by := func(addresses func(uplink, place int) int) func(uplink, place int) []Way {
		return func(uplink, place int) (ways []Way) {
			for n := range addresses(uplink, place) {
				ways = append(ways, Way{Uplink: fmt.Sprint(uplink, place, n)})
			}
			return ways
		}
	}
	each := func(n int) func(int, int) int { return func(int, int) int { return n } }
	for _, test := range []struct {
		of              string
		uplinks, places int
		addresses       func(uplink, place int) int
		want            []string // uplink, place, address; nil: see first and last
		first, last     string
		many            int
	}{
		{of: "nothing", addresses: each(1), many: 0},
		{of: "one", uplinks: 1, places: 1, addresses: each(1), want: []string{"0 0 0"}},
		{of: "no way", uplinks: 2, places: 2, addresses: each(0), many: 0},
		{of: "uplinks first, then places, then addresses", uplinks: 2, places: 2, addresses: each(2),
			want: []string{"0 0 0", "0 0 1", "0 1 0", "0 1 1", "1 0 0", "1 0 1", "1 1 0", "1 1 1"}},
		{of: "some without ways", uplinks: 2, places: 2, addresses: func(u, p int) int { return (u + p) % 2 }, want: []string{"0 1 0", "1 0 0"}},
		{of: "more addresses than are tried", uplinks: 1, places: 1, addresses: each(9), many: maxAddresses, first: "0 0 0", last: "0 0 3"},
		{of: "the last uplink is not crowded out by places", uplinks: 2, places: 16, addresses: each(1), many: MaxWays, first: "0 0 0", last: "1 7 0"},
		{of: "nor by addresses", uplinks: 4, places: 4, addresses: each(4), many: MaxWays, first: "0 0 0", last: "3 3 0"},
	} {
		ways := pickWays(test.uplinks, test.places, by(test.addresses))
		var got []string
		for _, w := range ways {
			got = append(got, w.Uplink)
		}
		switch {
		case test.want != nil && !slices.Equal(got, test.want), test.want == nil && len(got) != test.many:
			t.Errorf("%s: %q", test.of, got)
		case test.first != "" && (got[0] != test.first || got[len(got)-1] != test.last):
			t.Errorf("%s: from %s to %s", test.of, got[0], got[len(got)-1])
		}
	}
}

func TestSources(t *testing.T) {
	a := func(s string) netip.Addr {
		addr, _ := netip.ParseAddr(s)
		return addr
	}
	up := uplinkState{addresses: []address{
		{Addr: a("127.0.0.2"), local: true},
		{Addr: a("192.0.2.1")},
		{Addr: a("192.0.2.2")},
		{Addr: a("169.254.1.1"), local: true},
		{Addr: a("10.0.0.1"), local: true},
		{Addr: a("2001:db8::7"), temporary: true},
		{Addr: a("2001:db8::1")},
		{Addr: a("2001:db8::2"), tentative: true},
		{Addr: a("2001:db8::3"), deprecated: true},
		{Addr: a("fd00::1")},
		{Addr: a("fe80::1"), local: true},
	}}
	for _, test := range []struct {
		to, chosen string
		want       []string
	}{
		{"203.0.113.1", "", []string{"192.0.2.1", "192.0.2.2"}},
		{"10.9.9.9", "192.0.2.2", []string{"192.0.2.2", "192.0.2.1"}},
		{"203.0.113.1", "10.0.0.1", []string{"10.0.0.1", "192.0.2.1", "192.0.2.2"}}, // a link without another
		{"203.0.113.1", "198.51.100.1", []string{"192.0.2.1", "192.0.2.2"}},         // of another interface
		{"169.254.9.9", "", []string{"169.254.1.1", "10.0.0.1"}},
		{"2001:db8:9::9", "", []string{"2001:db8::1", "2001:db8::7"}},
		{"2001:db8:9::9", "2001:db8::7", []string{"2001:db8::7", "2001:db8::1"}}, // use_tempaddr
		{"2001:db8:9::9", "2001:db8::3", []string{"2001:db8::3", "2001:db8::1", "2001:db8::7"}},
		{"2001:db8:9::9", "2001:db8::2", []string{"2001:db8::1", "2001:db8::7"}}, // tentative, whoever says so
		{"2001:db8:9::9", "fd00::1", []string{"fd00::1", "2001:db8::1", "2001:db8::7"}},
		{"fd99::9", "", []string{"fd00::1"}},
		{"fe80::9%eth0", "", []string{"fe80::1"}},
	} {
		var got []string
		for _, addr := range up.sources(a(test.to), a(test.chosen)) {
			got = append(got, addr.String())
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("to %s, chosen %q: %q, want %q", test.to, test.chosen, got, test.want)
		}
	}
	many := uplinkState{}
	for i := range 9 {
		many.addresses = append(many.addresses, address{Addr: netip.AddrFrom4([4]byte{192, 0, 2, byte(i)})})
	}
	if got := many.sources(a("203.0.113.1"), netip.Addr{}); len(got) != maxAddresses {
		t.Errorf("%d addresses", len(got))
	}
}
