package conf

import (
	"fmt"
	"net"
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
// with the text; it is empty if the text is right.
func splitHostPort(s string) (host string, port uint16, problem string) {
	host, digits, err := net.SplitHostPort(s)
	n, notPort := strconv.ParseUint(digits, 10, 16)
	whole, notAddr := netip.ParseAddr(s)
	inner, _ := netip.ParseAddr(host)
	switch {
	case whole.Is6():
		problem = "is an IPv6 address without brackets and port"
	case notAddr == nil || !strings.Contains(s, ":") || strings.HasSuffix(s, "]"):
		problem = "has no port"
	case err == nil && notPort != nil:
		problem = "has no port from 0 to 65535 after its last colon"
	case strings.HasPrefix(s, "[") && !inner.Is6():
		problem = "has brackets that do not hold an IPv6 address"
	case err != nil:
		problem = "needs brackets around the IPv6 address, and nothing else before the port"
	}
	return host, uint16(n), problem
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
	} else if len(host) > maxHostName {
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
		return "has an invalid IPv4 address"
	}
	return ""
}

// prefix parses an address with a prefix length, host bits kept.
func (a at) prefix(s, hint string) (netip.Prefix, bool) {
	const mapped = 96 // bits before the IPv4 address: RFC 4291 section 2.5.5.2
	p, err := netip.ParsePrefix(s)
	head, _, slash := strings.Cut(s, "/")
	addr, _ := netip.ParseAddr(head)
	problem := "is not a prefix"
	switch {
	case err == nil && !p.Addr().Is4In6():
		return p, true
	case err == nil:
		problem, hint = "is an IPv4 address in IPv6 form", fmt.Sprintf("as IPv4: %s/%d", p.Addr().Unmap(), max(0, p.Bits()-mapped))
	case !addr.IsValid() || addr.Zone() != "":
	case slash:
		problem, hint = "has no valid prefix length", fmt.Sprintf("from 0 to %d", addr.BitLen())
	default:
		problem, hint = "has no prefix length", fmt.Sprintf(`"%s/%d" for this address alone`, s, addr.BitLen())
	}
	a.fail(fmt.Sprintf("%q %s", s, problem), hint)
	return netip.Prefix{}, false
}
