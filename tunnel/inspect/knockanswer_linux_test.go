package inspect

import (
	"encoding/binary"
	"net/netip"
	"testing"

	"golang.org/x/sys/unix"

	"fathom/tunnel/doctor"
)

// extended is a struct sock_extended_err, with the address of who tells as the kernel
// writes it: 16 bytes of IPv4, and 28 of IPv6.
func extended(origin, kind, code byte, by string) []byte {
	data := make([]byte, 16, 44)
	data[4], data[5], data[6] = origin, kind, code
	addr := netip.MustParseAddr(by)
	if addr.Is4() {
		data = binary.NativeEndian.AppendUint16(data, unix.AF_INET)
		data = append(append(data, 0, 0), addr.AsSlice()...)
		return append(data, make([]byte, 8)...)
	}
	data = binary.NativeEndian.AppendUint16(data, unix.AF_INET6)
	data = append(append(data, 0, 0, 0, 0, 0, 0), addr.AsSlice()...)
	return append(data, 0, 0, 0, 0)
}

func TestKnockIsTold(t *testing.T) {
	const icmp, icmp6 = unix.SO_EE_ORIGIN_ICMP, unix.SO_EE_ORIGIN_ICMP6
	at4, at6 := netip.MustParseAddrPort("192.0.2.1:4500"), netip.MustParseAddrPort("[2001:db8::1]:4500")
	for _, test := range []struct {
		name string
		to   netip.AddrPort
		data []byte
		told bool
		want doctor.KnockResult
		by   string
	}{
		{"the port is closed", at4, extended(icmp, 3, 3, "192.0.2.1"), true, doctor.Closed, "192.0.2.1"},
		{"the port is closed, by IPv6", at6, extended(icmp6, 1, 4, "2001:db8::1"), true, doctor.Closed, "2001:db8::1"},
		{"somebody else says that it is", at4, extended(icmp, 3, 3, "198.51.100.7"), true, doctor.Refused, "198.51.100.7"},
		{"forbidden", at4, extended(icmp, 3, 13, "198.51.100.7"), true, doctor.Refused, "198.51.100.7"},
		{"forbidden, by IPv6", at6, extended(icmp6, 1, 1, "2001:db8::7"), true, doctor.Refused, "2001:db8::7"},
		{"a code without words", at4, extended(icmp, 3, 200, "198.51.100.7"), true, doctor.Refused, "198.51.100.7"},
		{"too big", at4, extended(icmp, 3, 4, "198.51.100.7"), false, doctor.Silence, ""},
		{"too big, by IPv6", at6, extended(icmp6, 2, 0, "2001:db8::7"), false, doctor.Silence, ""},
		{"of this host", at4, extended(unix.SO_EE_ORIGIN_LOCAL, 3, 3, "192.0.2.1"), false, doctor.Silence, ""},
		{"cut short", at4, extended(icmp, 3, 3, "192.0.2.1")[:15], false, doctor.Silence, ""},
		{"without an address", at4, extended(icmp, 3, 13, "192.0.2.1")[:16], true, doctor.Refused, ""},
	} {
		k := knocked{doctor.Knock{To: test.to}}
		if told := k.told(test.data, test.to.Addr().Is6()); told != test.told || k.Result != test.want {
			t.Errorf("%s: %v, %+v", test.name, told, k)
		}
		if by, _ := netip.ParseAddr(test.by); k.By != by || test.told == (k.Problem == "") {
			t.Errorf("%s: %+v", test.name, k)
		}
	}
}
