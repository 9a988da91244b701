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
