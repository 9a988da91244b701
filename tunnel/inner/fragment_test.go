package inner

import (
	"bytes"
	"errors"
	"testing"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"pgregory.net/rapid"
)

func fragmentAll(f *Fragmenter) (fragments [][]byte) {
	for {
		fragment, ok := f.Next(nil)
		if !ok {
			return fragments
		}
		fragments = append(fragments, fragment)
	}
}

func TestFragmentsMakeThePacketAgain(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		ip := ip4(layers.IPProtocolUDP)
		ip.Flags = 0
		if rapid.Bool().Draw(rt, "options") {
			ip.Options = []layers.IPv4Option{
				{OptionType: 7, OptionLength: 7, OptionData: []byte{4, 0, 0, 0, 0}}, // record route: not copied
				{OptionType: 148, OptionLength: 4, OptionData: []byte{0, 0}},        // router alert: copied
				{OptionType: 1, OptionLength: 1}, {OptionType: 0, OptionLength: 1},
			}
		}
		payload := counted(rapid.IntRange(0, 9000).Draw(rt, "payload"))
		// A fragment of a packet may be fragmented again.
		mtu := rapid.IntRange(68, 1600).Draw(rt, "mtu")
		again := rapid.IntRange(68, 1600).Draw(rt, "second mtu")
		packet := udpPacket(t, ip, payload)
		original := bytes.Clone(packet)
		var f, g Fragmenter
		if err := f.Fragment(parsed(t, packet), mtu); err != nil {
			rt.Fatal(err)
		}
		var fragments [][]byte
		for _, first := range fragmentAll(&f) {
			if len(first) > mtu {
				rt.Fatalf("%d bytes, mtu %d", len(first), mtu)
			}
			if err := g.Fragment(parsed(t, first), again); err != nil {
				rt.Fatal(err)
			}
			fragments = append(fragments, fragmentAll(&g)...)
		}
		if !bytes.Equal(packet, original) {
			rt.Fatal("the packet was changed")
		}
		rest := packet[int(packet[0]&15)*4:]
		seen := 0
		for i, b := range fragments {
			if len(b) > max(again, 0) {
				rt.Fatalf("%d bytes, second mtu %d", len(b), again)
			}
			g := gopacket.NewPacket(b, layers.LayerTypeIPv4, gopacket.Default)
			h := g.NetworkLayer().(*layers.IPv4)
			if err, v := h.VerifyChecksum(); err != nil || !v.Valid {
				rt.Fatalf("checksum of %x: %v", b, err)
			}
			if int(h.FragOffset)*8 != seen || (h.Flags&layers.IPv4MoreFragments != 0) != (i < len(fragments)-1) || int(h.Length) != len(b) {
				rt.Fatalf("fragment %d: %+v", i, h)
			}
			if h.Id != be16(original[4:]) || h.TTL != original[8] {
				rt.Fatalf("fragment %d: %+v", i, h)
			}
			var kinds []byte
			for _, o := range h.Options {
				if o.OptionType != 0 && o.OptionType != 1 {
					kinds = append(kinds, o.OptionType)
				}
			}
			if want := map[bool][]byte{true: {7, 148}, false: {148}}[i == 0]; ip.Options != nil && !bytes.Equal(kinds, want) && h.FragOffset > 0 {
				rt.Fatalf("fragment %d has options %v, want %v", i, kinds, want)
			}
			data := b[int(h.IHL)*4:]
			if !bytes.Equal(data, rest[seen:seen+len(data)]) {
				rt.Fatalf("fragment %d carries something else", i)
			}
			seen += len(data)
		}
		if seen != len(rest) {
			rt.Fatalf("%d of %d bytes", seen, len(rest))
		}
	})
}

func TestWhatMustNotBeFragmented(t *testing.T) {
	var f Fragmenter
	if err := f.Fragment(parsed(t, udpPacket(t, ip4(layers.IPProtocolUDP), counted(2000))), 1400); !errors.Is(err, ErrDontFragment) {
		t.Errorf("DF: %v", err)
	}
	if err := f.Fragment(parsed(t, udpPacket(t, ip6(layers.IPProtocolUDP), counted(2000))), 1400); !errors.Is(err, ErrDontFragment) {
		t.Errorf("IPv6: %v", err)
	}
	ip := ip4(layers.IPProtocolUDP)
	ip.Flags = 0
	if err := f.Fragment(parsed(t, udpPacket(t, ip, counted(2000))), 27); !errors.Is(err, ErrTooSmall) {
		t.Errorf("no room: %v", err)
	}
	ip.Options = []layers.IPv4Option{{OptionType: 148, OptionLength: 4, OptionData: []byte{0, 0}}}
	for _, at := range []int{8, 23} { // the TTL, an option
		b := udpPacket(t, ip, counted(2000))
		b[at]++
		if err := f.Fragment(parsed(t, b), 1400); !errors.Is(err, ErrCannotCut) {
			t.Errorf("damage to byte %d of the header: %v", at, err)
		}
	}
	if got := fragmentAll(&f); len(got) > 0 {
		t.Errorf("%d fragments after an error", len(got))
	}
}

func TestFragmentsBeyondTheLargestPacket(t *testing.T) {
	ip := ip4(layers.IPProtocolUDP)
	ip.Flags = layers.IPv4MoreFragments
	for _, test := range []struct {
		end  int // of the payload within that of the whole packet, in bytes
		want error
	}{{65535 - 20, nil}, {65535 - 19, ErrMalformed}} {
		const size = 2003
		ip.FragOffset = uint16((test.end - size) / 8)
		b := serialize(t, ip, gopacket.Payload(counted(test.end-int(ip.FragOffset)*8)))
		var f Fragmenter
		if err := f.Fragment(parsed(t, b), 600); !errors.Is(err, test.want) {
			t.Errorf("a fragment that ends at %d: %v, want %v", test.end, err, test.want)
		}
		for _, b := range fragmentAll(&f) {
			if be16(b[6:])&^ipv4Offset != ipv4MF {
				t.Errorf("flags %#x", be16(b[6:]))
			}
		}
	}
}

func TestFragmentationDoesNotAllocate(t *testing.T) {
	ip := ip4(layers.IPProtocolUDP)
	ip.Flags = 0
	p := parsed(t, udpPacket(t, ip, counted(8000)))
	var f Fragmenter
	buffer := make([]byte, 0, 2000)
	if n := testing.AllocsPerRun(100, func() {
		if err := f.Fragment(p, 1400); err != nil {
			t.Fatal(err)
		}
		for ok := true; ok; {
			_, ok = f.Next(buffer)
		}
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzFragment(f *testing.F) {
	ip := ip4(layers.IPProtocolUDP)
	ip.Flags = 0
	f.Add(udpPacket(f, ip, counted(2000)), 600)
	f.Fuzz(func(t *testing.T, b []byte, mtu int) {
		p, ok := Parse(b)
		if ok && !p.V6 {
			setIPv4Checksum(p.Bytes[:p.Header])
		}
		var frag Fragmenter
		if !ok || frag.Fragment(&p, mtu) != nil {
			return
		}
		total := 0
		for i := 0; ; i++ {
			fragment, ok := frag.Next(nil)
			if !ok {
				break
			}
			q, ok := Parse(fragment)
			if !ok || len(fragment) > max(mtu, 0) && len(fragment) > p.Header+8 || i > len(b) {
				t.Fatalf("fragment %d of %x: %x", i, b, fragment)
			}
			total += len(q.Bytes) - q.Header
		}
		if total != len(p.Bytes)-p.Header {
			t.Fatalf("%d of %d bytes", total, len(p.Bytes)-p.Header)
		}
	})
}
