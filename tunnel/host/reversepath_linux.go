package host

import (
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
)

// strictRPFilter is the value of the sysctl rp_filter with which the kernel drops an
// IPv4 packet if its answer would leave by another interface (RFC 3704 section 2.2).
const strictRPFilter = 1

// ReversePathDrops returns the uplinks, of those of some ways, on which the host drops
// what comes from the peer: rp_filter is strict there, and the host's own choice for an
// answer is another interface. What the host has is as it was at the last Forget.
func (l *Link) ReversePathDrops(ways []Way) (uplinks []string) {
	for i := range ways {
		w := &ways[i]
		if w.Uplink == "" || !w.Remote.Addr().Is4() || slices.Contains(uplinks, w.Uplink) || l.rpFilter(w.Uplink) != strictRPFilter {
			continue
		}
		if l.answeredBy(answer{w.Remote, w.Local}) != w.Interface {
			uplinks = append(uplinks, w.Uplink)
		}
	}
	return uplinks
}

// answeredBy returns the index of the interface by which the host would answer, 0: none.
func (l *Link) answeredBy(a answer) int {
	if index, known := l.learnt.answers[a]; known {
		return index
	}
	index := 0
	if route, err := l.lookUp(Flow{Remote: a.remote, Local: netip.AddrPortFrom(a.local, 0)}, 0); err == nil {
		index = route.interfaceIndex
	}
	if l.learnt.answers == nil {
		l.learnt.answers = make(map[answer]int)
	}
	l.learnt.answers[a] = index
	return index
}

// RPFilter returns the sysctl rp_filter as it holds on an interface: the larger of its
// own value and that of all.
func RPFilter(name string) (value int) {
	for _, of := range []string{"all", name} {
		content, err := os.ReadFile(fmt.Sprintf("/proc/sys/net/ipv4/conf/%s/rp_filter", of))
		if n, bad := strconv.Atoi(strings.TrimSpace(string(content))); err == nil && bad == nil {
			value = max(value, n)
		}
	}
	return value
}

// rpFilter is RPFilter, remembered.
func (l *Link) rpFilter(name string) int {
	if value, known := l.learnt.rpFilters[name]; known {
		return value
	}
	value := RPFilter(name)
	if l.learnt.rpFilters == nil {
		l.learnt.rpFilters = make(map[string]int)
	}
	l.learnt.rpFilters[name] = value
	return value
}
