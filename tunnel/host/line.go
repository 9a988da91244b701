package host

import (
	"cmp"
	"net/netip"
	"slices"
)

// line is the prefixes of one family and length, which the second line of guards
// treats alike: see secondline_linux.go.
type line struct {
	prefixes []netip.Prefix
	cover    netip.Prefix // the longest prefix that holds them all
}

// bits is the length of the prefixes.
func (l *line) bits() int { return l.prefixes[0].Bits() }

// linesOf sorts the prefixes of a family by their lengths, the longest first.
// Default routes are left out.
func linesOf(prefixes []netip.Prefix) (lines []line) {
	sorted := slices.SortedFunc(slices.Values(prefixes), func(a, b netip.Prefix) int {
		return cmp.Or(b.Bits()-a.Bits(), a.Compare(b))
	})
	for _, prefix := range sorted {
		if prefix.Bits() == 0 {
			continue
		}
		if n := len(lines); n > 0 && lines[n-1].bits() == prefix.Bits() {
			last := &lines[n-1]
			last.prefixes = append(last.prefixes, prefix)
			last.cover = widened(last.cover, prefix.Addr())
			continue
		}
		lines = append(lines, line{[]netip.Prefix{prefix}, prefix.Masked()})
	}
	return lines
}

// widened returns the longest prefix that holds another one and an address.
func widened(prefix netip.Prefix, addr netip.Addr) netip.Prefix {
	for !prefix.Contains(addr) {
		prefix = netip.PrefixFrom(prefix.Addr(), prefix.Bits()-1).Masked()
	}
	return prefix
}
