package tunnel

import (
	"bytes"
	"net/netip"
	"testing"

	"fathom/esp"
)

// ipv4Packet returns an IPv4 packet of the given size; nothing of it but what
// the tunnel reads is meaningful.
func ipv4Packet(source, destination string, size int) []byte {
	b := make([]byte, size)
	b[0] = 0x45
	b[2], b[3] = byte(size>>8), byte(size)
	copy(b[12:], netip.MustParseAddr(source).AsSlice())
	copy(b[16:], netip.MustParseAddr(destination).AsSlice())
	return b
}

func ipv6Packet(source, destination string, size int) []byte {
	b := make([]byte, size)
	b[0] = 0x60
	b[4], b[5] = byte((size-ipv6HeaderSize)>>8), byte(size-ipv6HeaderSize)
	copy(b[8:], netip.MustParseAddr(source).AsSlice())
	copy(b[24:], netip.MustParseAddr(destination).AsSlice())
	return b
}

func TestParseInner(t *testing.T) {
	v4 := ipv4Packet("10.0.0.1", "10.0.0.2", 100)
	v6 := ipv6Packet("fd00::1", "fd00::2", 100)
	edit := func(b []byte, at int, v byte) []byte {
		b = bytes.Clone(b)
		b[at] = v
		return b
	}
	tests := []struct {
		name       string
		packet     []byte
		ok         bool
		size       int
		nextHeader uint8
	}{
		{"an IPv4 packet", v4, true, 100, esp.NextHeaderIPv4},
		{"an IPv6 packet", v6, true, 100, esp.NextHeaderIPv6},
		{"padding behind IPv4 is cut off", append(bytes.Clone(v4), 0, 0, 0), true, 100, esp.NextHeaderIPv4},
		{"padding behind IPv6 is cut off", append(bytes.Clone(v6), 0, 0, 0), true, 100, esp.NextHeaderIPv6},
		{"nothing", nil, false, 0, 0},
		{"a cut IPv4 header", v4[:ipv4HeaderSize-1], false, 0, 0},
		{"a cut IPv6 header", v6[:ipv6HeaderSize-1], false, 0, 0},
		{"an IPv4 packet shorter than it says", v4[:99], false, 0, 0},
		{"an IPv6 packet shorter than it says", v6[:99], false, 0, 0},
		{"an IPv4 header shorter than possible", edit(v4, 0, 0x44), false, 0, 0},
		{"an IPv4 packet shorter than its header", edit(v4, 3, 19), false, 0, 0},
		{"another version", edit(v4, 0, 0x55), false, 0, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, ok := parseInner(tt.packet)
			if ok != tt.ok || len(p.bytes) != tt.size || p.nextHeader != tt.nextHeader {
				t.Fatalf("ok %v, %d bytes, next header %d; want %v, %d, %d", ok, len(p.bytes), p.nextHeader, tt.ok, tt.size, tt.nextHeader)
			}
		})
	}
	if p, _ := parseInner(v4); p.source != netip.MustParseAddr("10.0.0.1") || p.destination != netip.MustParseAddr("10.0.0.2") {
		t.Errorf("IPv4 addresses %v, %v", p.source, p.destination)
	}
	if p, _ := parseInner(v6); p.source != netip.MustParseAddr("fd00::1") || p.destination != netip.MustParseAddr("fd00::2") {
		t.Errorf("IPv6 addresses %v, %v", p.source, p.destination)
	}
}

func FuzzParseInner(f *testing.F) {
	f.Add(ipv4Packet("10.0.0.1", "10.0.0.2", 60))
	f.Add(ipv6Packet("fd00::1", "fd00::2", 60))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, ok := parseInner(b)
		if ok && (len(p.bytes) > len(b) || len(p.bytes) < ipv4HeaderSize || !p.source.IsValid() || !p.destination.IsValid()) {
			t.Errorf("accepted %x as %+v", b, p)
		}
	})
}
