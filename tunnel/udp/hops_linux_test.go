package udp

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"fathom/test/netlab"
	"fathom/test/netlab/labtest"
)

// TestADatagramGetsAsFarAsItsHops: it ends at the router that its TTL or hop limit names,
// which says so, and the next datagram, without one, arrives.
func TestADatagramGetsAsFarAsItsHops(t *testing.T) {
	lab := labtest.New(t)
	hosts := []*netlab.Host{lab.Host("a"), lab.Host("r"), lab.Host("s"), lab.Host("b")}
	var links []*netlab.Link
	for i, subnet := range [][2]string{{"10.1.0", "fd01:"}, {"10.2.0", "fd02:"}, {"10.3.0", "fd03:"}} {
		links = append(links, lab.Connect(hosts[i], hosts[i+1], netlab.LinkConfig{
			AddrA: netlab.Prefixes(subnet[0]+".1/24", subnet[1]+":1/64"), AddrB: netlab.Prefixes(subnet[0]+".2/24", subnet[1]+":2/64")}))
	}
	hosts[0].DefaultVia(links[0].B.Addrs()...)
	hosts[1].DefaultVia(links[1].B.Addrs()...)
	hosts[2].DefaultVia(links[1].A.Addrs()...)
	hosts[1].Forward()
	hosts[2].Forward()
	for _, test := range []struct {
		name    string
		far     netip.Addr
		routers [2]netip.Addr
	}{
		{"IPv4", links[2].B.Addr4(), [2]netip.Addr{links[0].B.Addr4(), links[1].B.Addr4()}},
		{"IPv6", links[2].B.Addr6(), [2]netip.Addr{links[0].B.Addr6(), links[1].B.Addr6()}},
	} {
		t.Run(test.name, func(t *testing.T) {
			must(t, hosts[0].Do(func() error {
				c, err := Listen(netip.Addr{}, 0, Config{DontFragment: true, Offload: true})
				must(t, err)
				defer c.Close()
				var told told
				var came []ICMP
				config := told.config(true)
				config.ICMP = func(m ICMP) {
					m.Quote = slices.Clone(m.Quote)
					came = append(came, m)
				}
				o := c.NewOutbox(config)
				to := NewDestination(netip.AddrPortFrom(test.far, farPort), netip.Addr{})
				for hops, router := range test.routers {
					came = nil
					for deadline := time.Now().Add(20 * time.Second); len(came) == 0 && time.Now().Before(deadline); time.Sleep(time.Millisecond) {
						// With the TTL of data around it: they are not in one run.
						for _, limit := range []uint8{0, uint8(hops + 1), 0} {
							room := append(o.Room(100), make([]byte, 100)...)
							binary.BigEndian.PutUint64(room, 0x0102030405060700+uint64(limit))
							if limit == 0 {
								o.PutAsData(len(room), to, 0, nil)
							} else {
								o.PutHops(len(room), to, 0, limit, nil)
							}
						}
						_ = o.Flush() // an ICMP message may be the reason for an error
						c.each(func(s *socket) { s.errors.drain(s, config.ICMP) })
					}
					for _, m := range came {
						if m.Kind != TimeExceeded || m.By != router || m.To != to.Remote() || len(m.Quote) < 8 || binary.BigEndian.Uint64(m.Quote) != 0x0102030405060700+uint64(hops+1) {
							t.Errorf("%d hops: %+v", hops+1, m)
						}
					}
					if len(came) == 0 {
						t.Errorf("%d hops: no answer", hops+1)
					}
				}
				return nil
			}))
		})
	}
}

// extendedError builds what the kernel says of an ICMP message: struct sock_extended_err,
// and behind it a struct sockaddr.
func extendedError(level, kind int32, origin, icmpType, code byte, info uint32, sender ...byte) []byte {
	data := append(cInt(uint32(unix.EHOSTUNREACH)), origin, icmpType, code, 0)
	data = append(append(data, cInt(info)...), cInt(0)...)
	return controlMessage(level, kind, append(data, sender...)...)
}

func TestParseExtendedError(t *testing.T) {
	const icmp, icmp6, local = unix.SO_EE_ORIGIN_ICMP, unix.SO_EE_ORIGIN_ICMP6, unix.SO_EE_ORIGIN_LOCAL
	family := func(f uint16, rest ...byte) []byte { return append(binary.NativeEndian.AppendUint16(nil, f), rest...) }
	by4 := family(unix.AF_INET, 0, 0, 192, 0, 2, 9, 0, 0, 0, 0, 0, 0, 0, 0)
	by6 := family(unix.AF_INET6, 0, 0, 0, 0, 0, 0, 0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 0)
	at4, at6 := netip.MustParseAddr("192.0.2.9"), netip.MustParseAddr("2001:db8::9")
	v4 := func(origin, kind, code byte, info uint32, sender ...byte) []byte {
		return extendedError(unix.IPPROTO_IP, unix.IP_RECVERR, origin, kind, code, info, sender...)
	}
	v6 := func(origin, kind, code byte, info uint32, sender ...byte) []byte {
		return extendedError(unix.IPPROTO_IPV6, unix.IPV6_RECVERR, origin, kind, code, info, sender...)
	}
	for _, test := range []struct {
		name   string
		oob    []byte
		want   ICMP
		origin uint8
	}{
		{"nothing", nil, ICMP{}, unix.SO_EE_ORIGIN_NONE},
		{"a PTB, IPv4", v4(icmp, 3, 4, 1400, by4...), ICMP{Kind: PTB, By: at4, MTU: 1400}, icmp},
		{"a PTB, IPv6", v6(icmp6, 2, 0, 1400, by6...), ICMP{Kind: PTB, By: at6, MTU: 1400}, icmp6},
		{"Time Exceeded, IPv4", v4(icmp, 11, 0, 0, by4...), ICMP{Kind: TimeExceeded, By: at4}, icmp},
		{"Time Exceeded, IPv6", v6(icmp6, 3, 0, 0, by6...), ICMP{Kind: TimeExceeded, By: at6}, icmp6},
		{"behind other data", slices.Concat(packetInfo4, tos4, v4(icmp, 11, 0, 0, by4...)), ICMP{Kind: TimeExceeded, By: at4}, icmp},
		{"a fragment that was late, IPv4", v4(icmp, 11, 1, 0, by4...), ICMP{}, icmp},
		{"a fragment that was late, IPv6", v6(icmp6, 3, 1, 0, by6...), ICMP{}, icmp6},
		{"port unreachable", v4(icmp, 3, 3, 0, by4...), ICMP{}, icmp},
		{"the types of IPv6 in IPv4", v4(icmp, 2, 0, 1400, by4...), ICMP{}, icmp},
		{"the host itself", v4(local, 3, 4, 1400), ICMP{}, local},
		{"no sender", v4(icmp, 11, 0, 0), ICMP{Kind: TimeExceeded}, icmp},
		{"a sender cut short", v4(icmp, 11, 0, 0, by4[:7]...), ICMP{Kind: TimeExceeded}, icmp},
		{"an IPv6 sender cut short", v6(icmp6, 3, 0, 0, by6[:23]...), ICMP{Kind: TimeExceeded}, icmp6},
		{"a sender of another family", v4(icmp, 11, 0, 0, family(unix.AF_UNIX, by4[2:]...)...), ICMP{Kind: TimeExceeded}, icmp},
		{"an error cut short", controlMessage(unix.IPPROTO_IP, unix.IP_RECVERR, 1, 2, 3), ICMP{}, unix.SO_EE_ORIGIN_NONE},
	} {
		m, origin := parseExtendedError(test.oob)
		if m.Kind != test.want.Kind || m.By != test.want.By || m.MTU != test.want.MTU || origin != test.origin {
			t.Errorf("%s: %+v from origin %d", test.name, m, origin)
		}
	}
}
