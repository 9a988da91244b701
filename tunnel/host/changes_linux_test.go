package host

import (
	"fmt"
	"net/netip"
	"testing"

	"fathom/test/netlab"
)

func TestChanges(t *testing.T) {
	c := NewChanges()
	to := netip.MustParseAddr
	taken := func(tokens int) Change {
		t.Helper()
		if n := len(c.Told()); n != tokens {
			t.Errorf("%d tokens, want %d", n, tokens)
		}
		for len(c.Told()) > 0 {
			<-c.Told()
		}
		return c.Take()
	}
	for _, test := range []struct {
		of              string
		prefixes        []netip.Prefix
		any             bool
		concerns, spare []string
	}{
		{"nothing", nil, false, nil, []string{"192.0.2.1", "2001:db8::1"}},
		{"routes", netlab.Prefixes("192.0.2.0/24", "2001:db8::/64", "fe80::/64"), false,
			[]string{"192.0.2.1", "2001:db8::1", "fe80::1%eth0"}, []string{"192.0.3.1", "2001:db8:0:1::1"}},
		{"a default route", netlab.Prefixes("0.0.0.0/0"), false, []string{"192.0.2.1"}, []string{"2001:db8::1"}},
		{"an interface", nil, true, []string{"192.0.2.1", "2001:db8::1"}, nil},
		{"a route and an interface", netlab.Prefixes("192.0.2.0/24"), true, []string{"192.0.2.1", "2001:db8::1"}, nil},
	} {
		tokens := 0
		for range 3 {
			for _, prefix := range test.prefixes {
				c.To(prefix)
				tokens = 1
			}
			if test.any {
				c.Any()
				tokens = 1
			}
		}
		change := taken(tokens)
		for _, addr := range test.concerns {
			if !change.Concerns(to(addr)) {
				t.Errorf("%s: does not concern %s", test.of, addr)
			}
		}
		for _, addr := range test.spare {
			if change.Concerns(to(addr)) {
				t.Errorf("%s: concerns %s", test.of, addr)
			}
		}
	}
	if change := taken(0); change.Concerns(to("192.0.2.1")) {
		t.Error("what was taken is still there")
	}
}

// TestLost: what a way has lost by name, and what may have come back.
func TestLost(t *testing.T) {
	at := netip.MustParseAddr
	lost, came := "", ""
	for _, test := range []struct {
		of    string
		tell  func(c *Changes)
		index int
		local netip.Addr
		lost  bool
		came  bool
	}{
		{of: "nothing", tell: func(*Changes) {}, index: 2, local: at("192.0.2.1")},
		{of: "the interface", tell: func(c *Changes) { c.Interface(2, false) }, index: 2, local: at("192.0.2.1"), lost: true},
		{of: "another interface", tell: func(c *Changes) { c.Interface(3, false) }, index: 2, local: at("192.0.2.1")},
		{of: "any interface, of which one is gone", tell: func(c *Changes) { c.Interface(3, false) }, local: at("192.0.2.1")},
		{of: "the interface, which is back", tell: func(c *Changes) { c.Interface(2, false); c.Interface(2, true) }, index: 2, local: at("192.0.2.1"), came: true},
		{of: "the address", tell: func(c *Changes) { c.Address(2, at("192.0.2.1"), false) }, index: 2, local: at("192.0.2.1"), lost: true},
		{of: "the address, of any interface", tell: func(c *Changes) { c.Address(2, at("192.0.2.1"), false) }, local: at("192.0.2.1"), lost: true},
		{of: "the address, of another interface", tell: func(c *Changes) { c.Address(3, at("192.0.2.1"), false) }, index: 2, local: at("192.0.2.1")},
		{of: "the address, which is elsewhere now", tell: func(c *Changes) { c.Address(2, at("192.0.2.1"), false); c.Address(3, at("192.0.2.1"), true) }, local: at("192.0.2.1")},
		{of: "another address", tell: func(c *Changes) { c.Address(2, at("192.0.2.2"), false) }, index: 2, local: at("192.0.2.1")},
		{of: "no address of its own", tell: func(c *Changes) { c.Address(2, at("192.0.2.2"), false) }, index: 2},
		{of: "the address, which has come", tell: func(c *Changes) { c.Address(2, at("192.0.2.1"), true) }, index: 2, local: at("192.0.2.1"), came: true},
		{of: "the address, and something unknown", tell: func(c *Changes) { c.Address(2, at("192.0.2.1"), false); c.Any() }, index: 2, local: at("192.0.2.1"), came: true},
		{of: "more than are told by name", tell: func(c *Changes) {
			for i := range maxParts + 1 {
				c.Interface(100+i, false)
			}
			c.Interface(2, false)
		}, index: 2, came: true},
	} {
		c := NewChanges()
		test.tell(c)
		change := c.Take()
		if got := change.Lost(test.index, test.local); got != test.lost {
			lost += "\n" + test.of
		}
		if got := change.Came(test.index); got != test.came {
			came += "\n" + test.of
		}
		if test.of != "nothing" && !change.Concerns(at("203.0.113.1")) {
			t.Errorf("%s: concerns nobody", test.of)
		}
	}
	if lost != "" || came != "" {
		t.Errorf("wrong:\nlost: %s\ncame: %s", lost, came)
	}
}

// TestWhatReturned: gone, and there again, by the same Take.
func TestWhatReturned(t *testing.T) {
	at := netip.MustParseAddr
	there, elsewhere := at("192.0.2.1"), at("192.0.2.2")
	for _, test := range []struct {
		of       string
		tell     func(*Changes)
		index    int
		local    netip.Addr
		returned bool
	}{
		{"nothing", func(*Changes) {}, 2, there, false},
		{"the interface is gone", func(c *Changes) { c.Interface(2, false) }, 2, there, false},
		{"the interface has come", func(c *Changes) { c.Interface(2, true) }, 2, there, false},
		{"the interface", func(c *Changes) { c.Interface(2, false); c.Interface(2, true) }, 2, there, true},
		{"the interface, of a pair without address", func(c *Changes) { c.Interface(2, false); c.Interface(2, true) }, 2, netip.Addr{}, true},
		{"another interface", func(c *Changes) { c.Interface(3, false); c.Interface(3, true) }, 2, there, false},
		{"the interface, which is gone again", func(c *Changes) { c.Interface(2, false); c.Interface(2, true); c.Interface(2, false) }, 2, there, false},
		{"the address", func(c *Changes) { c.Address(2, there, false); c.Address(2, there, true) }, 2, there, true},
		{"the address, of any interface", func(c *Changes) { c.Address(2, there, false); c.Address(2, there, true) }, 0, there, true},
		{"the address, of another interface", func(c *Changes) { c.Address(3, there, false); c.Address(3, there, true) }, 2, there, false},
		{"another address", func(c *Changes) { c.Address(2, elsewhere, false); c.Address(2, elsewhere, true) }, 2, there, false},
		{"the address, on one of two interfaces", func(c *Changes) {
			c.Address(3, there, false)
			c.Address(2, there, false)
			c.Address(2, there, true)
		}, 0, there, true},
		{"by two Takes", func(c *Changes) { c.Interface(2, false); c.Take(); c.Interface(2, true) }, 2, there, false},
		{"something unknown", func(c *Changes) { c.Interface(2, false); c.Interface(2, true); c.Any() }, 2, there, false},
	} {
		c := NewChanges()
		test.tell(c)
		if got := c.Take().Returned(test.index, test.local); got != test.returned {
			t.Errorf("%s: %v", test.of, got)
		}
	}
}

// BenchmarkLost: what one pair costs does not depend on how much has changed.
func BenchmarkLost(b *testing.B) {
	for _, parts := range []int{1, maxParts} {
		b.Run(fmt.Sprint(parts), func(b *testing.B) {
			c := NewChanges()
			for i := range parts {
				c.Address(2, netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), false)
			}
			change := c.Take()
			for b.Loop() {
				change.Lost(2, netip.AddrFrom4([4]byte{192, 0, 2, 1}))
				change.Returned(2, netip.AddrFrom4([4]byte{192, 0, 2, 1}))
			}
		})
	}
}
