package host

import (
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
