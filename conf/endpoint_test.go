package conf

import (
	"net/netip"
	"testing"
)

func TestEndpoint(t *testing.T) {
	for _, tt := range []struct {
		endpoint Endpoint
		text     string
		addr     string
	}{
		{Endpoint{}, "", ""},
		{Endpoint{"example.org", 4500}, "example.org:4500", ""},
		{Endpoint{"192.0.2.1", 1}, "192.0.2.1:1", "192.0.2.1"},
		{Endpoint{"2001:db8::1", 65535}, "[2001:db8::1]:65535", "2001:db8::1"},
		{Endpoint{"::ffff:192.0.2.1", 4500}, "[::ffff:192.0.2.1]:4500", "192.0.2.1"},
		{Endpoint{"fe80::1%eth0", 4500}, "[fe80::1%eth0]:4500", "fe80::1%eth0"},
	} {
		if got := tt.endpoint.String(); got != tt.text {
			t.Errorf("%#v prints %q, not %q", tt.endpoint, got, tt.text)
		}
		want := netip.Addr{}
		if tt.addr != "" {
			want = netip.MustParseAddr(tt.addr)
		}
		if got := tt.endpoint.Addr(); got != want {
			t.Errorf("%s has the address %v, not %v", tt.text, got, want)
		}
		if tt.endpoint.IsZero() != (tt.text == "") {
			t.Errorf("%q: IsZero is %t", tt.text, tt.endpoint.IsZero())
		}
	}
}
