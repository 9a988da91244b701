package udp

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"testing"

	"golang.org/x/sys/unix"
)

// controlMessage builds one message as the kernel does.
func controlMessage(level, kind int32, data ...byte) []byte {
	return appendAncillary(nil, level, kind, data)
}

// cInt is an int in the host's byte order.
func cInt(n uint32) []byte { return binary.NativeEndian.AppendUint32(nil, n) }

var (
	packetInfo4 = controlMessage(unix.IPPROTO_IP, unix.IP_PKTINFO, 1, 0, 0, 0, 192, 0, 2, 1, 192, 0, 2, 255)
	packetInfo6 = controlMessage(unix.IPPROTO_IPV6, unix.IPV6_PKTINFO,
		0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 0, 0, 0)
	tos4      = controlMessage(unix.IPPROTO_IP, unix.IP_TOS, 0xb9)
	tos6      = controlMessage(unix.IPPROTO_IPV6, unix.IPV6_TCLASS, cInt(0xb9)...)
	joined    = controlMessage(unix.IPPROTO_UDP, unix.UDP_GRO, cInt(1452)...)
	fragment4 = controlMessage(unix.IPPROTO_IP, unix.IP_RECVFRAGSIZE, cInt(1500)...)
	fragment6 = controlMessage(unix.IPPROTO_IPV6, unix.IPV6_RECVFRAGSIZE, cInt(1500)...)
	unknown   = controlMessage(unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, make([]byte, 16)...)
)

func TestParseAncillary(t *testing.T) {
	local4, local6 := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1")
	endless := slices.Concat(tos4, joined)
	binary.NativeEndian.PutUint64(endless[len(tos4):], 1<<20) // Cmsghdr.Len, or the half of it that counts
	for _, test := range []struct {
		name string
		oob  []byte
		want Arrival
	}{
		{"nothing", nil, Arrival{}},
		{"the local address and the interface, IPv4", packetInfo4, Arrival{Local: local4, Interface: 1}},
		{"the local address and the interface, IPv6", packetInfo6, Arrival{Local: local6, Interface: 1}},
		{"the TOS octet", tos4, Arrival{TOS: 0xb9}},
		{"the traffic class", tos6, Arrival{TOS: 0xb9}},
		{"joined datagrams", joined, Arrival{Segment: 1452}},
		{"a size whose bytes all count", controlMessage(unix.IPPROTO_UDP, unix.UDP_GRO, cInt(0x10203)...), Arrival{Segment: 0x10203}},
		{"fragments, IPv4", fragment4, Arrival{Fragmented: true}},
		{"fragments, IPv6", fragment6, Arrival{Fragmented: true}},
		{"all of IPv4", slices.Concat(packetInfo4, tos4, fragment4, joined), Arrival{Local: local4, Interface: 1, TOS: 0xb9, Segment: 1452, Fragmented: true}},
		{"all of IPv6", slices.Concat(joined, fragment6, tos6, packetInfo6), Arrival{Local: local6, Interface: 1, TOS: 0xb9, Segment: 1452, Fragmented: true}},
		{"something unknown between", slices.Concat(tos4, unknown, joined), Arrival{TOS: 0xb9, Segment: 1452}},
		{"another level with a known type", controlMessage(unix.SOL_SOCKET, unix.UDP_GRO, cInt(1452)...), Arrival{}},
		{"an address cut short", controlMessage(unix.IPPROTO_IP, unix.IP_PKTINFO, 1, 0, 0, 0, 192, 0), Arrival{}},
		{"an IPv6 address cut short", controlMessage(unix.IPPROTO_IPV6, unix.IPV6_PKTINFO, make([]byte, 16)...), Arrival{}},
		{"no TOS octet", controlMessage(unix.IPPROTO_IP, unix.IP_TOS), Arrival{}},
		{"a traffic class cut short", controlMessage(unix.IPPROTO_IPV6, unix.IPV6_TCLASS, 1, 1), Arrival{}},
		{"a size cut short", controlMessage(unix.IPPROTO_UDP, unix.UDP_GRO, 1, 1), Arrival{}},
		{"a header cut short", slices.Concat(tos4, joined[:unix.CmsgLen(0)-1]), Arrival{TOS: 0xb9}},
		{"data cut short", slices.Concat(tos4, joined[:unix.CmsgLen(2)]), Arrival{TOS: 0xb9}},
		{"no padding behind the last", slices.Concat(joined, tos4)[:len(joined)+unix.CmsgLen(1)], Arrival{TOS: 0xb9, Segment: 1452}},
		{"a length beyond the end", endless, Arrival{TOS: 0xb9}},
		{"a length below the header", make([]byte, 64), Arrival{}},
	} {
		t.Run(test.name, func(t *testing.T) {
			var got Arrival
			got.parseAncillary(test.oob)
			if got != test.want {
				t.Errorf("got %+v, want %+v", got, test.want)
			}
		})
	}
}

// TestWhatIsSentIsReadBack, where the kernel takes it in the form in which it
// gives it.
func TestWhatIsSentIsReadBack(t *testing.T) {
	local4, local6 := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1")
	for _, want := range []Arrival{
		{Local: local4}, {Local: local6}, {Local: local6, TOS: 3}, {Local: local4, Interface: 0x1020304}, {Local: local6, Interface: 0x1020304},
		{Local: netip.IPv4Unspecified(), Interface: 7}, {Local: netip.IPv6Unspecified(), Interface: 7},
	} {
		local := want.Local
		if local.IsUnspecified() {
			local = netip.Addr{} // as the kernel is told
		}
		oob := appendSource(nil, want.Local.Is6(), local, want.Interface)
		if want.TOS != 0 {
			oob = appendTOS(oob, true, want.TOS)
		}
		var got Arrival
		got.parseAncillary(oob)
		if got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
	}
}

// TestTheKernelIsToldNothingUnasked: without an address and an interface there is no
// ancillary data, and without an interface its index is 0.
func TestTheKernelIsToldNothingUnasked(t *testing.T) {
	for _, v6 := range []bool{false, true} {
		if oob := appendSource(nil, v6, netip.Addr{}, 0); oob != nil {
			t.Errorf("%v: % x", v6, oob)
		}
	}
	want := controlMessage(unix.IPPROTO_IP, unix.IP_PKTINFO, 0, 0, 0, 0, 192, 0, 2, 1, 0, 0, 0, 0)
	if oob := appendSource(nil, false, netip.MustParseAddr("192.0.2.1"), 0); !slices.Equal(oob, want) {
		t.Errorf("% x, want % x", oob, want)
	}
}

func FuzzAncillary(f *testing.F) {
	f.Add(slices.Concat(packetInfo4, tos4, fragment4, joined))
	f.Add(slices.Concat(packetInfo6, tos6, fragment6, joined))
	f.Add(slices.Concat(unknown, joined[:unix.CmsgLen(2)]))
	f.Fuzz(func(t *testing.T, oob []byte) {
		var a Arrival
		a.parseAncillary(oob)
		if a.From.IsValid() || len(oob) < unix.CmsgLen(0) && a != (Arrival{}) {
			t.Errorf("%+v", a)
		}
	})
}
