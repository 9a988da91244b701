package conf

import (
	"fmt"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
)

// Host names: RFC 1123 section 2.1 with the underscores that are in use, and
// the limits of RFC 1035 section 2.3.4 in bytes.
const maxHostName, maxLabel = 253, 63

var hostLabel = regexp.MustCompile(`^[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?$`)

var broadcast = netip.AddrFrom4([4]byte{255, 255, 255, 255})

// splitHostPort takes apart "host:port", where the host may be missing and an
// IPv6 address stands in brackets. problem completes the sentence that begins
// with the text; it is empty if there is none.
func splitHostPort(s string) (host string, port uint16, problem string) {
	if _, err := netip.ParseAddr(s); err == nil {
		if strings.Contains(s, ":") {
			return "", 0, "is an IPv6 address without brackets and port"
		}
		return "", 0, "has no port"
	}
	i := strings.LastIndexByte(s, ':')
	if i < 0 || strings.HasSuffix(s, "]") {
		return "", 0, "has no port"
	}
	host = s[:i]
	n, err := strconv.ParseUint(s[i+1:], 10, 16)
	if err != nil {
		return "", 0, "has no port from 0 to 65535 after its last colon"
	}
	if inner, ok := strings.CutPrefix(host, "["); ok {
		inner, closed := strings.CutSuffix(inner, "]")
		if addr, err := netip.ParseAddr(inner); !closed || err != nil || !addr.Is6() {
			return "", 0, "has brackets that do not hold an IPv6 address"
		}
		return inner, uint16(n), ""
	}
	if strings.Contains(host, ":") {
		return "", 0, "needs brackets around the IPv6 address, and nothing else before the port"
	}
	return host, uint16(n), ""
}

// hostProblem says why an endpoint cannot be at a host, in the same way.
func hostProblem(host string) string {
	if addr, err := netip.ParseAddr(host); err == nil {
		addr = addr.Unmap()
		switch {
		case addr.IsUnspecified(), addr.IsMulticast(), addr == broadcast:
			return "is not the address of one host"
		case addr.Is6() && addr.IsLinkLocalUnicast() && addr.Zone() == "":
			return fmt.Sprintf("is a link-local address without its interface, as in [%s%%eth0]", addr)
		}
		return ""
	}
	if host == "" {
		return "has no host"
	}
	if len(host) > maxHostName {
		return fmt.Sprintf("has a host name of more than %d bytes", maxHostName)
	}
	labels := strings.Split(strings.TrimSuffix(host, "."), ".")
	for _, label := range labels {
		if len(label) > maxLabel || !hostLabel.MatchString(label) {
			return "has no valid host name or address"
		}
	}
	// A last label of digits is meant to be an IPv4 address: RFC 1123 2.1.
	if strings.Trim(labels[len(labels)-1], "0123456789") == "" {
		return "has an IPv4 address that is not one"
	}
	return ""
}

// prefix parses an address with a prefix length, host bits kept.
func (a at) prefix(s, hint string) (netip.Prefix, bool) {
	p, err := netip.ParsePrefix(s)
	if err == nil && p.Addr().Is4In6() {
		const mapped = 96 // bits before the IPv4 address: RFC 4291 section 2.5.5.2
		a.fail(fmt.Sprintf("%q is an IPv4 address in IPv6 form", s), fmt.Sprintf("as IPv4: %s/%d", p.Addr().Unmap(), max(0, p.Bits()-mapped)))
		return netip.Prefix{}, false
	}
	if err == nil {
		return p, true
	}
	if addr, err := netip.ParseAddr(s); err == nil && addr.Zone() == "" {
		a.fail(fmt.Sprintf("%q has no prefix length", s), fmt.Sprintf(`"%s/%d" for this address alone`, s, addr.BitLen()))
		return netip.Prefix{}, false
	}
	if head, _, ok := strings.Cut(s, "/"); ok {
		if addr, err := netip.ParseAddr(head); err == nil && addr.Zone() == "" {
			a.fail(fmt.Sprintf("%q has no valid prefix length", s), fmt.Sprintf("from 0 to %d", addr.BitLen()))
			return netip.Prefix{}, false
		}
	}
	a.fail(fmt.Sprintf("%q is not a prefix", s), hint)
	return netip.Prefix{}, false
}
