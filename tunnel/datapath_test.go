package tunnel

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"fathom/conf"
	"fathom/esp"
	"fathom/tunnel/inner"
)

// datapath is the packet loops of two ends without anything beside them: no
// device, no handshake, no controller. What is between them is a real socket
// pair of the loopback interface.
type datapath struct {
	peer     *peer
	transmit *transmitter
	receiver *receiver
	told     *written // to the sending host
	arrived  *written // at the receiving host
}

// written is a packetWriter that counts what it is given, and keeps the last.
type written struct {
	packets, bytes int
	last           []byte
	offload        inner.Offload
}

func (w *written) write(parts [][]byte, o inner.Offload) error {
	w.packets++
	w.last, w.offload = w.last[:0], o
	for _, part := range parts {
		w.bytes += len(part)
		w.last = append(w.last, part...)
	}
	return nil
}

// nothingHappens takes what the loops tell the controller.
type nothingHappens struct{ noSendEvents }

func (nothingHappens) handshake([]byte, netip.AddrPort, netip.Addr) bool { return true }
func (nothingHappens) message(*inboundSA, []byte, bool) bool             { return true }
func (nothingHappens) firstUse(*inboundSA)                               {}
func (nothingHappens) moved(*peer, netip.AddrPort, netip.Addr)           {}

// newDatapath joins two ends whose PLPMTU and last settled PLPMTU are given.
func newDatapath(t testing.TB, offload bool, config conf.Tunnel, plpmtu, settled int) *datapath {
	t.Helper()
	fatal := func(err error) {
		if err != nil {
			t.Helper()
			t.Fatal(err)
		}
	}
	loopback := netip.MustParseAddr("127.0.0.1")
	from, err := listenUDP(loopback, 0, socketOptions{df: true, offload: offload, queues: 1})
	fatal(err)
	t.Cleanup(from.close)
	to, err := listenUDP(loopback, 0, socketOptions{df: true, offload: offload, queues: 1})
	fatal(err)
	t.Cleanup(to.close)

	keymat := make([]byte, esp.KeyMaterialSize)
	out, err := esp.NewOutbound(minSPI, esp.AES256GCM, keymat)
	fatal(err)
	in, err := esp.NewInbound(minSPI, esp.AES256GCM, keymat)
	fatal(err)
	far := newPeer(conf.Peer{Name: "far", AllowedIPs: []netip.Prefix{netip.MustParsePrefix(rightIP + "/32"), netip.MustParsePrefix(rightIP6 + "/128")}})
	near := newPeer(conf.Peer{Name: "near", AllowedIPs: []netip.Prefix{netip.MustParsePrefix(leftIP + "/32"), netip.MustParsePrefix(leftIP6 + "/128")}})
	far.outbound.Store(&outboundSA{Outbound: out})
	far.path.Store(newPath(netip.AddrPortFrom(loopback, to.port()), loopback).with(plpmtu, settled, 1500))
	near.path.Store(newPath(netip.AddrPortFrom(loopback, from.port()), loopback).with(plpmtu, settled, 1500))
	inbound := &inboundSA{spi: minSPI, peer: near, in: in}
	inbound.fragments.Arrived = func(seq uint32) bool { return in.Window().Check(seq) == esp.ErrReplay }
	spis := new(spiTable)
	spis.add(inbound)

	d := &datapath{peer: far, told: new(written), arrived: new(written)}
	d.transmit = &transmitter{
		routes: newRoutes([]*peer{far}), drops: new(drops),
		forwarder: newForwarder(newSender(controllerLane, from, nothingHappens{}), policyOf(config), d.told),
	}
	d.receiver = &receiver{
		inbox: newInbox(to.v4[0]), writer: d.arrived, clampMSS: config.MSSClamp,
		routes: newRoutes([]*peer{near}), spis: spis, drops: new(drops), events: nothingHappens{},
	}
	if offload {
		d.receiver.coalescer = &inner.Coalescer{Write: d.receiver.write, UDP: true}
	}
	return d
}

// send is what the transmitter does with a packet that it has read.
func (d *datapath) send(packet []byte, o inner.Offload) error {
	d.transmit.packet(packet, o)
	return d.transmit.forwarder.sender.outbox.flush()
}

// tcpSuper returns a TCP superpacket as the host hands it over, with so many
// bytes of payload.
func tcpSuper(payload, segment int) ([]byte, inner.Offload) {
	const headers = 20 + 32 // with timestamps
	b := ipv4Packet(leftIP, rightIP, headers+payload)
	b[6], b[8], b[9] = 0x40, 64, 6 // DF, TTL, TCP
	tcp := b[20:]
	binary.BigEndian.PutUint16(tcp, 40000)
	binary.BigEndian.PutUint16(tcp[2:], 5201)
	tcp[12], tcp[13] = 8<<4, 0x10 // ACK
	tcp[20], tcp[21], tcp[22], tcp[23] = 1, 1, 8, 10
	pseudo := 6 + len(tcp)
	for i := 12; i < 20; i += 2 {
		pseudo += int(binary.BigEndian.Uint16(b[i:]))
	}
	binary.BigEndian.PutUint16(tcp[16:], uint16(pseudo%0xffff))
	if payload <= segment {
		return b, inner.Offload{NeedsChecksum: true, ChecksumStart: 20, ChecksumOffset: 16}
	}
	return b, inner.Offload{NeedsChecksum: true, ChecksumStart: 20, ChecksumOffset: 16, Kind: inner.GSOTCPv4, SegmentSize: uint16(segment), HeaderSize: headers}
}

// noOffload is that of a packet that is complete.
var noOffload inner.Offload

// loads of the data path, as they come from the host.
var dataLoads = []struct {
	name             string
	payload, segment int
	packets          int // before each flush
}{
	{"superpacket of 60000 bytes", 60000, 1386, 1},
	{"sixteen packets of 252 bytes", 200, 1386, 16},
	{"one packet of 1438 bytes", 1386, 1386, 1},
}

// run carries a load once from end to end.
func (d *datapath) run(t testing.TB, packet []byte, o inner.Offload, packets int) {
	for range packets {
		d.transmit.packet(packet, o)
	}
	if err := d.transmit.forwarder.sender.outbox.flush(); err != nil {
		t.Fatal(err)
	}
	for before := d.arrived.bytes; d.arrived.bytes-before < packets*len(packet); {
		if err := d.receiver.batch(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestTheDataPathDoesNotAllocate carries packets from one host to the other,
// through both loops and the kernel.
func TestTheDataPathDoesNotAllocate(t *testing.T) {
	for _, offload := range []bool{true, false} {
		for _, load := range dataLoads {
			t.Run(fmt.Sprintf("%s, offload %v", load.name, offload), func(t *testing.T) {
				d := newDatapath(t, offload, conf.Tunnel{Oversize: conf.OversizeCarry, MSSClamp: true}, 1500, 1500)
				packet, o := tcpSuper(load.payload, load.segment)
				original := append([]byte(nil), packet...)
				carry := func() {
					copy(packet, original)
					d.run(t, packet, o, load.packets)
				}
				for range 50 { // every flow of the coalescer has its list by then
					carry()
				}
				if n := testing.AllocsPerRun(50, carry); n != 0 {
					t.Errorf("%v allocations", n)
				}
			})
		}
	}
}

// BenchmarkDataPath is both loops, and the kernel between them, on one core.
func BenchmarkDataPath(b *testing.B) {
	for _, offload := range []bool{true, false} {
		for _, load := range dataLoads {
			b.Run(fmt.Sprintf("%s/offload=%v", load.name, offload), func(b *testing.B) {
				d := newDatapath(b, offload, conf.Tunnel{Oversize: conf.OversizeCarry, MSSClamp: true}, 1500, 1500)
				packet, o := tcpSuper(load.payload, load.segment)
				original := append([]byte(nil), packet...)
				b.SetBytes(int64(load.packets * load.payload))
				b.ReportAllocs()
				for b.Loop() {
					copy(packet, original)
					d.run(b, packet, o, load.packets)
				}
			})
		}
	}
}

// TestWhatHostsAreTold sends packets that are too large for the path of the
// moment. A host keeps what a PTB says for ten minutes, so none may tell of a
// size that a search or a suspicion has only begun with.
func TestWhatHostsAreTold(t *testing.T) {
	const base, full = 1228, 1500
	inner4 := func(plpmtu int) int { return esp.InnerMTU(false, plpmtu) }
	for _, test := range []struct {
		name            string
		oversize        string
		plpmtu, settled int
		v6              bool
		size            int
		told            int // 0: nothing
		crosses         bool
	}{
		{"carry, settled", conf.OversizeCarry, base, base, false, 1400, inner4(base), true},
		{"carry, while the path is searched", conf.OversizeCarry, base, full, false, 1400, 0, true},
		{"carry, above what the last search has found", conf.OversizeCarry, base, 1400, false, 1400, inner4(1400), true},
		{"carry, while the path grows", conf.OversizeCarry, 1400, base, false, 1400, inner4(1400), true},
		{"signal, settled", conf.OversizeSignal, base, base, false, 1400, inner4(base), false},
		{"signal, while the path is searched", conf.OversizeSignal, base, full, false, 1400, 0, true},
		{"signal, above what the last search has found", conf.OversizeSignal, base, 1400, false, 1400, inner4(1400), false},
		{"IPv6 up to 1280 bytes", conf.OversizeSignal, 576, 576, true, 1280, 0, true},
		{"IPv6 above 1280 bytes", conf.OversizeSignal, 576, 576, true, 1281, 1280, false},
		{"drop", conf.OversizeDrop, base, base, false, 1400, 0, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			d := newDatapath(t, true, conf.Tunnel{Oversize: test.oversize}, test.plpmtu, test.settled)
			packet := ipv4Packet(leftIP, rightIP, test.size)
			packet[6], packet[9] = 0x40, 17
			if test.v6 {
				packet = ipv6Packet(leftIP6, rightIP6, test.size)
				packet[6] = 17
			}
			sent := d.peer.tx.packets.Load()
			if err := d.send(packet, inner.Offload{}); err != nil {
				t.Fatal(err)
			}
			crosses := d.peer.tx.packets.Load() > sent
			told := 0
			if d.told.packets > 0 {
				if told = int(binary.BigEndian.Uint16(d.told.last[26:])); test.v6 {
					told = int(binary.BigEndian.Uint32(d.told.last[44:]))
				}
			}
			if told != test.told || crosses != test.crosses {
				t.Errorf("told of %d bytes, want %d; crosses: %v, want %v", told, test.told, crosses, test.crosses)
			}
			if crosses {
				for end := time.Now().Add(5 * time.Second); d.arrived.packets == 0; {
					if err := d.receiver.batch(); err != nil || time.Now().After(end) {
						t.Fatalf("not there: %v", err)
					}
				}
				if string(d.arrived.last) != string(packet) {
					t.Error("another packet has arrived")
				}
			}
		})
	}
}

// TestTCPWithoutDFIsFragmented: cut, its pieces would need identifications that
// its sender may use for others (RFC 6864 section 4).
func TestTCPWithoutDFIsFragmented(t *testing.T) {
	for _, df := range []bool{true, false} {
		d := newDatapath(t, true, conf.Tunnel{Oversize: conf.OversizeCarry}, 1228, 1228)
		for _, payload := range []int{1386, 2 * 1386} { // by itself, and in a superpacket
			packet, o := tcpSuper(payload, 1386)
			if !df {
				packet[6] = 0
			}
			if err := d.send(packet, o); err != nil {
				t.Fatal(err)
			}
		}
		cut, fragmented := d.peer.surgery.tcpCut.Load(), d.peer.surgery.fragmented.Load()
		if df && (cut != 1 || fragmented != 0) || !df && (cut != 0 || fragmented != 3) {
			t.Errorf("DF %v: %d cut, %d fragmented", df, cut, fragmented)
		}
	}
}

func TestReportsAreAsLongAsWhatIsNew(t *testing.T) {
	var r reported
	for _, step := range []struct {
		highest uint32
		want    int
	}{
		{10, 1}, {20, 1}, {100, 2}, {110, 2}, // from the beginning
		{111, 2}, {112, 2}, {113, 1}, {114, 1}, // since the last but three
		{100_000, 32},
	} {
		if got := r.words(step.highest); got != step.want {
			t.Errorf("up to %d: %d words, want %d", step.highest, got, step.want)
		}
	}
}
