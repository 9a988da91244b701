package inspect

import (
	"net/netip"
	"testing"
)

func TestSample(t *testing.T) {
	for _, test := range []struct {
		prefix    string
		elsewhere []string
		want      string // empty: none
	}{
		{"10.77.0.2/32", nil, "10.77.0.2"},
		{"10.77.0.2/32", []string{"10.77.0.1/24"}, ""},
		{"192.168.2.0/24", nil, "192.168.2.1"},
		{"192.168.2.0/31", nil, "192.168.2.1"},
		{"192.168.0.0/16", []string{"192.168.0.1/24"}, "192.168.1.1"},
		{"192.168.0.0/16", []string{"192.168.0.0/17"}, "192.168.128.1"},
		{"192.168.0.0/16", []string{"192.168.0.0/16"}, ""},
		{"fd02::/64", nil, "fd02::1"},
		{"fd02::/64", []string{"fd02::1/128"}, "fd02::3"},
		{"128.0.0.0/1", nil, "128.0.0.1"},
		{"0.0.0.0/0", nil, ""},
		{"::/0", nil, ""},
	} {
		var elsewhere []netip.Prefix
		for _, p := range test.elsewhere {
			elsewhere = append(elsewhere, netip.MustParsePrefix(p))
		}
		got, ok := sample(netip.MustParsePrefix(test.prefix), elsewhere)
		if ok != (test.want != "") || ok && got.String() != test.want {
			t.Errorf("%s without %v: %v, %v", test.prefix, test.elsewhere, got, ok)
		}
	}
}
