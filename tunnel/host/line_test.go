package host

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
)

func TestLinesOf(t *testing.T) {
	for _, test := range []struct{ prefixes, want string }{
		{"", ""},
		{"0.0.0.0/0", ""},
		{"10.88.2.0/24", "10.88.2.0/24 for [10.88.2.0/24]"},
		{"10.88.0.0/16 10.77.0.2/32 0.0.0.0/0 10.88.2.0/24", "10.77.0.2/32 for [10.77.0.2/32], 10.88.2.0/24 for [10.88.2.0/24], 10.88.0.0/16 for [10.88.0.0/16]"},
		{"10.77.0.3/32 10.77.0.2/32", "10.77.0.2/31 for [10.77.0.2/32 10.77.0.3/32]"},
		{"10.77.0.1/32 10.77.0.2/32 10.77.0.7/32", "10.77.0.0/29 for [10.77.0.1/32 10.77.0.2/32 10.77.0.7/32]"},
		{"192.168.0.0/24 10.5.0.0/24", "0.0.0.0/0 for [10.5.0.0/24 192.168.0.0/24]"},
		{"128.0.0.0/1 0.0.0.0/1", "0.0.0.0/0 for [0.0.0.0/1 128.0.0.0/1]"},
		{"::/0 fd88:2::/64 fd88:3::/64 fd77::2/128", "fd77::2/128 for [fd77::2/128], fd88:2::/31 for [fd88:2::/64 fd88:3::/64]"},
	} {
		var prefixes []netip.Prefix
		for _, text := range strings.Fields(test.prefixes) {
			prefixes = append(prefixes, netip.MustParsePrefix(text))
		}
		var got []string
		for _, l := range linesOf(prefixes) {
			got = append(got, fmt.Sprint(l.cover, " for ", l.prefixes))
		}
		if strings.Join(got, ", ") != test.want {
			t.Errorf("%s: %s, want %s", test.prefixes, strings.Join(got, ", "), test.want)
		}
	}
}
