package tunnel

import (
	"encoding/binary"
	"net/netip"
	"sync/atomic"
	"testing"

	"fathom/conf"
	"fathom/tunnel/inner"
)

// outerPacket is a UDP packet that begins with an SPI.
func outerPacket(to string, source, destination uint16, spi uint32) []byte {
	at, header := netip.MustParseAddr(to), 20
	b := ipv4Packet("192.0.2.1", "192.0.2.1", 200)
	if at.Is6() {
		b, header = ipv6Packet("2001:db8::1", to, 200), 40
		b[6] = 17
	} else {
		b[9] = 17
		copy(b[16:], at.AsSlice())
	}
	binary.BigEndian.PutUint16(b[header:], source)
	binary.BigEndian.PutUint16(b[header+2:], destination)
	binary.BigEndian.PutUint32(b[header+8:], spi)
	return b
}

func TestOurOwnPacketsAreKnown(t *testing.T) {
	const port, spi = 4500, 0x1234567
	r := &returns{portOf(port), new(places)}
	place := func(endpoint string, spi uint32) *peer {
		p := newPeer(conf.Peer{})
		p.sendSPI.Store(spi)
		at := netip.MustParseAddrPort(endpoint)
		p.path = newPath(at, netip.Addr{})
		r.places.follow(p)
		return p
	}
	p4 := place("192.0.2.2:4501", spi)
	p6 := place("[2001:db8::2]:4502", spi)
	moved := place("192.0.2.3:4503", spi)
	moved.path = newPath(netip.MustParseAddrPort("192.0.2.4:4504"), netip.Addr{})
	r.places.follow(moved)

	tcp, fragment := outerPacket("192.0.2.2", port, 4501, spi), outerPacket("192.0.2.2", port, 4501, spi)
	tcp[9], fragment[7] = 6, 1
	for name, test := range map[string]struct {
		packet []byte
		want   *peer
	}{
		"over IPv4":                {outerPacket("192.0.2.2", port, 4501, spi), p4},
		"over IPv6":                {outerPacket("2001:db8::2", port, 4502, spi), p6},
		"where the peer is now":    {outerPacket("192.0.2.4", port, 4504, spi), moved},
		"where it was":             {outerPacket("192.0.2.3", port, 4503, spi), nil},
		"another SPI":              {outerPacket("192.0.2.2", port, 4501, spi+1), nil},
		"from another port":        {outerPacket("192.0.2.2", port+1, 4501, spi), nil},
		"to another port":          {outerPacket("192.0.2.2", port, 4502, spi), nil},
		"to another address":       {outerPacket("192.0.2.5", port, 4501, spi), nil},
		"TCP":                      {tcp, nil},
		"a later fragment":         {fragment, nil},
		"a handshake of another":   {outerPacket("192.0.2.2", port, 4501, 0), nil},
		"too short for a datagram": {ipv4Packet("192.0.2.1", "192.0.2.2", 20), nil},
	} {
		packet, ok := inner.Parse(test.packet)
		if got := r.sentTo(&packet); !ok || got != test.want {
			t.Errorf("%s: %p, want %p", name, got, test.want)
		}
	}
}

// TestASuperpacketOfOursIsSeveralPackets: those that leave in one call come back in one.
func TestASuperpacketOfOursIsSeveralPackets(t *testing.T) {
	d := newDatapath(t, true, conf.Tunnel{}, 1500, 1500)
	near := d.transmit.routes.lookup(netip.MustParseAddr(rightIP))
	near.sendSPI.Store(0x1234567)
	near.path = newPath(netip.MustParseAddrPort("192.0.2.2:4501"), netip.Addr{})
	d.transmit.returns = &returns{portOf(4500), new(places)}
	d.transmit.returns.places.follow(near)

	const headers, segment = 20 + 8, 60
	packet := outerPacket("192.0.2.2", 4500, 4501, 0x1234567)[:headers+3*segment-10]
	binary.BigEndian.PutUint16(packet[2:], uint16(len(packet)))
	binary.BigEndian.PutUint16(packet[24:], uint16(len(packet)-20))
	sumHeader(packet)
	d.transmit.packet(packet, inner.Offload{
		Kind: inner.GSOUDP, SegmentSize: segment, HeaderSize: headers, NeedsChecksum: true, ChecksumStart: 20, ChecksumOffset: 6,
	})
	if n := near.drops.snapshot()["loop"]; n != 3 {
		t.Errorf("%d packets are dropped, want 3", n)
	}
}

// portOf holds a port as the controller does.
func portOf(port uint16) *atomic.Uint32 {
	p := new(atomic.Uint32)
	p.Store(uint32(port))
	return p
}
