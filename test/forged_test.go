//go:build linux

package test

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"golang.org/x/sys/unix"

	"fathom/pmtud"
	"fathom/test/gateway"
	"fathom/test/netlab/labtest"
	"fathom/test/tier"
	"fathom/tunnel/status"
)

// TestForgedPTBs floods a with messages that say that the path is smaller: with
// no valid quote, and with a true SPI but no true sequence number.
func TestForgedPTBs(t *testing.T) {
	tier.Select(t)
	l := newLongPath(t, overIPv4, "")
	up(t, l.a, l.b)
	exact(t, l.a, 1500)
	s := statusOf(t, l.a).Peers[0]
	for _, test := range []struct {
		name string
		spi  uint32
		seq  uint32
	}{
		{"a foreign SPI", 0x12345678, 1},
		{"a true SPI, but no true sequence number", s.SendSPI, 1 << 30},
	} {
		t.Run(test.name, func(t *testing.T) {
			wire := labtest.Capture(t, l.left.A)
			before := statusOf(t, l.a).Peers[0]
			beside := l.beside(t)
			const (
				each, rounds = 1000, 10
				interval     = 100 * time.Millisecond
				most         = 50 // probes in a second: what verifies a PTB is limited in time
			)
			began := time.Now()
			check(t, l.R.Do(func() error {
				raw, err := rawSocket()
				if err != nil {
					return err
				}
				defer unix.Close(raw)
				for range rounds {
					next := time.Now().Add(interval)
					for range each {
						m := forgedPTB(l.left.B.Addr4(), l.left.A.Addr4(), l.right.B.Addr4(), 600, test.spi, test.seq)
						if err := unix.Sendto(raw, m, 0, &unix.SockaddrInet4{Addr: l.left.A.Addr4().As4()}); err != nil {
							return err
						}
					}
					time.Sleep(time.Until(next))
				}
				return nil
			}))
			seconds := time.Since(began).Seconds()
			wire.Stop()
			stall, _ := stalls(beside())
			after := statusOf(t, l.a).Peers[0]
			if after.PMTUD.PLPMTU != 1500 || len(after.PMTUD.History) != len(before.PMTUD.History) {
				// A machine that stands still makes a path doubtful without any PTB.
				if byPTB := slices.ContainsFunc(after.PMTUD.History, causedByPTB); byPTB || stall < doubtful {
					t.Errorf("the PLPMTU has moved, and the machine has stalled for %v at most: %+v", stall, after.PMTUD)
				}
				exact(t, l.a, 1500)
			}
			probes := 0
			for _, packet := range wire.Packets() {
				if packet.Sent && len(packet.Data) > 1000 {
					probes++
				}
			}
			t.Logf("%d forged PTBs cost %d probes in %.1f s", each*rounds, probes, seconds)
			if float64(probes) > most*seconds {
				t.Errorf("%d forged PTBs cost %d probes in %.1f s", each*rounds, probes, seconds)
			}
		})
	}
}

// causedByPTB reports whether a PTB has changed the PLPMTU.
func causedByPTB(c status.PLPMTUChange) bool { return c.Cause == pmtud.CausePTB.String() }

// forgedPTB makes an ICMP message that quotes a packet from a to b.
func forgedPTB(from, a, b netip.Addr, mtu int, spi, seq uint32) []byte {
	quote := &layers.IPv4{Version: 4, TTL: 64, Protocol: layers.IPProtocolUDP, Flags: layers.IPv4DontFragment, SrcIP: a.AsSlice(), DstIP: b.AsSlice()}
	udp := &layers.UDP{SrcPort: gateway.Port, DstPort: gateway.Port}
	esp := make([]byte, 1400)
	binary.BigEndian.PutUint32(esp, spi)
	binary.BigEndian.PutUint32(esp[4:], seq)
	inner := gopacket.NewSerializeBuffer()
	options := gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}
	_ = udp.SetNetworkLayerForChecksum(quote)
	_ = gopacket.SerializeLayers(inner, options, quote, udp, gopacket.Payload(esp))
	outer := gopacket.NewSerializeBuffer()
	_ = gopacket.SerializeLayers(outer, options,
		&layers.IPv4{Version: 4, TTL: 64, Protocol: layers.IPProtocolICMPv4, SrcIP: from.AsSlice(), DstIP: a.AsSlice()},
		&layers.ICMPv4{TypeCode: layers.CreateICMPv4TypeCode(3, 4), Seq: uint16(mtu)},
		gopacket.Payload(inner.Bytes()[:548]))
	return outer.Bytes()
}
