//go:build linux

package test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"fathom/test/gateway"
	"fathom/test/netlab"
	"fathom/test/netlab/labtest"
	"fathom/test/tier"
	"fathom/tunnel/status"
)

// TestSuperpacketsOnTheLink: on links that carry superpackets uncut, these go from
// end to end whole. A router that finds the next link too small drops them whole,
// and sends one PTB for each.
func TestSuperpacketsOnTheLink(t *testing.T) {
	tier.Select(t, tier.OffloadOnly)
	defer func(before bool) { superlinks = before }(superlinks)
	superlinks = true
	l := newLongPath(t, overIPv4, "")
	up(t, l.a, l.b)
	exact(t, l.a, 1500)
	exact(t, l.b, 1500)
	largest := func(on *netlab.Interface, during func()) (size, ptbs, quoted int) {
		t.Helper()
		wire := labtest.Capture(t, on)
		during()
		wire.Stop()
		for _, packet := range wire.Packets() {
			size = max(size, len(packet.Data))
			const headers, icmp, unreachable, fragmentationNeeded = 20 + 8, 1, 3, 4
			if b := packet.Data; b[0]>>4 == 4 && b[9] == icmp && b[20] == unreachable && b[21] == fragmentationNeeded && len(b) >= headers+20 {
				ptbs++
				quoted = max(quoted, int(binary.BigEndian.Uint16(b[headers+2:])))
			}
		}
		return size, ptbs, quoted
	}
	const super = 20_000 // at least so large some of them are
	// On a busy machine the packets of a moment may all be small.
	supersArrive := func(when string) {
		t.Helper()
		size := 0
		for deadline := time.Now().Add(within); size < super && time.Now().Before(deadline); {
			size, _, _ = largest(l.right.B, func() { bulk(t, l.A, l.B, innerB4, 16<<20) })
		}
		if size < super {
			t.Errorf("%s the largest packet that arrives has %d bytes", when, size)
		}
	}
	supersArrive("before the shrink")
	data := transferring(t, l.A, l.B, innerB4)
	ptbs, quoted := 0, 0
	for deadline := time.Now().Add(within); quoted < super && time.Now().Before(deadline); {
		l.middle.SetMTU(1500)
		exact(t, l.a, 1500)
		_, ptbs, quoted = largest(l.left.A, func() {
			data.more(1 << 20)
			l.middle.SetMTU(1300)
			t.Logf("exact after %v", exact(t, l.a, 1300).Round(time.Millisecond))
		})
	}
	data.stop()
	t.Logf("%d PTBs, quoting up to %d bytes", ptbs, quoted)
	if ptbs == 0 || quoted < super {
		t.Errorf("%d PTBs came back, quoting up to %d bytes: no superpacket was dropped", ptbs, quoted)
	}
	supersArrive("behind the shrink")
}

// TestAWrongChecksumStaysWrong sends packets with wrong checksums through the
// tunnel, amid others of their flow with right ones. The host must not be made
// to compute right ones for them, as it does for joined superpackets.
func TestAWrongChecksumStaysWrong(t *testing.T) {
	tier.Select(t)
	const (
		tcp, udp = 6, 17
		packets  = 400
		each     = 7 // one of this many packets is damaged
		payload  = 1000
	)
	l := newLongPathOver(t, 0)
	x, y, nearY := l.networksBehind(t, true, false)
	up(t, l.a, l.b)
	exact(t, l.a, 1500)
	inside := labtest.Capture(t, l.B.Interface(gateway.Device))
	outside := labtest.Capture(t, nearY.A)

	before := statusOf(t, l.b).Peers[0].RxPackets
	sent := make(map[string]bool) // all of TCP or UDP; whether it is damaged
	check(t, x.Do(func() error {
		raw, err := rawSocket()
		if err != nil {
			return err
		}
		defer unix.Close(raw)
		for _, protocol := range []byte{tcp, udp} {
			for i := range packets {
				packet := numbered(protocol, i, payload)
				damaged := i%each == each-1
				if damaged {
					packet[len(packet)-1]++ // behind the checksum's back
				}
				sent[string(packet[20:])] = damaged
				if err := unix.Sendto(raw, packet, 0, &unix.SockaddrInet4{Addr: [4]byte{192, 168, 2, 2}}); err != nil {
					return err
				}
				if i%100 == 99 { // and not more than fits a queue
					want := before + uint64(len(sent))
					await(t, l.b, func(s *status.Status) bool { return s.Peers[0].RxPackets >= want })
				}
			}
		}
		return nil
	}))
	// The host's own, with the checksums left to be completed.
	if wrong := sendRuns(t, x, y, "192.168.2.2", 1200, 20, 20); wrong > 0 {
		t.Errorf("trains of datagrams: %d of another size", wrong)
	}
	bulk(t, x, y, "192.168.2.2", 4<<20)
	inside.Stop()
	outside.Stop()

	joined := 0
	for _, packet := range inside.Packets() {
		if !packet.Sent && len(packet.Data) > 2*payload && packet.Data[9] == tcp && int(binary.BigEndian.Uint16(packet.Data[22:])) == discardPort {
			joined++
		}
	}
	arrived, damaged := 0, 0
	for _, packet := range outside.Packets() {
		b := packet.Data
		if !packet.Sent || b[0]>>4 != 4 || b[9] != tcp && b[9] != udp {
			continue
		}
		right := checksumRight(b)
		if isDamaged, ours := sent[string(b[20:])]; ours {
			arrived++
			if isDamaged {
				damaged++
			}
			if right == isDamaged {
				t.Errorf("a packet that was sent with a right checksum: %v, leaves with a right one: %v", !isDamaged, right)
			}
			delete(sent, string(b[20:]))
		} else if !right {
			t.Errorf("a packet leaves with a wrong checksum: %x", b[:min(len(b), 60)])
		}
	}
	t.Logf("%d packets, %d of them damaged; %d superpackets of TCP", arrived, damaged, joined)
	if len(sent) > 0 {
		t.Errorf("%d of the packets that were sent do not leave as they were", len(sent))
	}
	if joined == 0 && !tier.OneByOne() {
		t.Error("nothing was joined, so the test has shown nothing")
	}
}

const discardPort = 9

// numbered returns packet i of a flow of TCP or UDP from x to y, complete.
func numbered(protocol byte, i, payload int) []byte {
	header := 8
	if protocol == 6 {
		header = 20
	}
	b := make([]byte, 20+header+payload)
	b[0], b[6], b[8], b[9] = 0x45, 0x40, 64, protocol // DF, TTL
	binary.BigEndian.PutUint16(b[2:], uint16(len(b)))
	copy(b[12:], []byte{192, 168, 1, 2, 192, 168, 2, 2})
	rest := b[20:]
	binary.BigEndian.PutUint16(rest, 40000)
	binary.BigEndian.PutUint16(rest[2:], discardPort)
	field := rest[6:8]
	if protocol == 6 {
		binary.BigEndian.PutUint32(rest[4:], uint32(i*payload))
		rest[12], rest[13] = 5<<4, 0x10 // ACK
		field = rest[16:18]
	} else {
		binary.BigEndian.PutUint16(rest[4:], uint16(len(rest)))
	}
	copy(rest[header:], bytes.Repeat([]byte(fmt.Sprintf("%08d", i)), payload/8))
	binary.BigEndian.PutUint16(field, ^sumOf(b))
	return b
}

// sumOf is the sum of RFC 1071 over a TCP segment or UDP datagram and its
// pseudo-header.
func sumOf(b []byte) uint16 {
	sum := uint32(b[9]) + uint32(len(b)-20)
	for i := 12; i < len(b); i++ {
		sum += uint32(b[i]) << (8 * (1 - i%2))
	}
	for sum>>16 != 0 {
		sum = sum>>16 + sum&0xffff
	}
	return uint16(sum)
}

// checksumRight verifies the checksum of TCP or UDP.
func checksumRight(b []byte) bool { return sumOf(b) == 0xffff }

// TestKernelsThatOfferLess refuses the command the features that older kernels
// lack. It comes up, says what it does without, and carries everything all the
// same.
func TestKernelsThatOfferLess(t *testing.T) {
	tier.Select(t, tier.OffloadOnly)
	var all status.Offload // what this kernel offers
	for _, test := range []struct {
		name string
		what netlab.Refusal
	}{
		{"nothing refused", 0}, // first
		{"no UDP_SEGMENT", netlab.UDPSegment},
		{"no UDP_GRO", netlab.UDPGRO},
		{"no USO", netlab.TUNUSO},
		{"none of them", netlab.UDPOffloads},
	} {
		t.Run(test.name, func(t *testing.T) {
			l := newLongPathOver(t, 0)
			l.a.Host, l.b.Host = l.A.Refusing(test.what), l.B.Refusing(test.what)
			l.configure(t, overIPv4, "", "")
			up(t, l.a, l.b)
			got := statusOf(t, l.a).Offload
			if test.what == 0 {
				all = got
			}
			want := all
			want.UDPSegment = all.UDPSegment && test.what&netlab.UDPSegment == 0
			want.UDPGRO = all.UDPGRO && test.what&netlab.UDPGRO == 0
			want.DeviceUDP = all.DeviceUDP && test.what&netlab.TUNUSO == 0
			if got != want {
				t.Errorf("status says %+v, want %+v", got, want)
			}
			exact(t, l.a, 1500)
			exact(t, l.b, 1500)
			bulk(t, l.A, l.B, innerB4, 8<<20)
			bulk(t, l.B, l.A, innerA6, 8<<20)
			forth := transferring(t, l.A, l.B, innerB4)
			forth.more(1 << 20)
			l.middle.SetMTU(1400)
			exact(t, l.a, 1400)
			forth.stop()
			for _, size := range []int{1200, 1430} {
				for _, run := range []int{1, 20} {
					if wrong := sendRuns(t, l.A, l.B, innerB4, size, run, 20); wrong > 0 {
						t.Errorf("runs of %d datagrams of %d bytes: %d of another size", run, size, wrong)
					}
				}
			}
		})
	}
}
