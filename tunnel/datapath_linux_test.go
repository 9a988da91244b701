package tunnel

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"fathom/conf"
	"fathom/esp"
	"fathom/test/netlab"
	"fathom/tunnel/inner"
	"fathom/tunnel/udp"
)

// datapath is the packet loops of two ends without anything beside them: no
// device, no handshake, no controller. Between them is a real pair of sockets, by
// default of the loopback interface.
type datapath struct {
	peer     *peer
	from, to *udp.Conn
	transmit *transmitter
	receiver *receiver
	told     *written // to the sending host
	arrived  *written // at the receiving host
}

// ends describes the two ends of a datapath.
type ends struct {
	offload         bool
	config          conf.Tunnel
	suite           esp.Suite  // zero: the preferred one
	plpmtu, settled int        // zero: what an Ethernet carries
	from, to        outside    // zero: the loopback interface, over IPv4
	backwards       bool       // from the right to the left
	sendBuffer      int        // of the sending socket, 0: the default
	outlets         int        // of the sending end, beside the common one
	events          sendEvents // of the sender, nil: they are ignored
}

// outside is where an end is.
type outside struct {
	host    *netlab.Host // nil: where the test itself runs
	address netip.Addr
}

// listen opens the end's socket.
func (o outside) listen(cfg udp.Config) (c *udp.Conn, err error) {
	open := func() error {
		c, err = udp.Listen(o.address, 0, cfg)
		return err
	}
	if o.host == nil {
		return c, open()
	}
	return c, o.host.Do(open)
}

// written is a tun.Writer that counts what it is given, and keeps the last.
type written struct {
	packets, bytes int
	last           []byte
	offload        inner.Offload
}

func (w *written) Write(parts [][]byte, o inner.Offload) error {
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

func (nothingHappens) handshake([]byte, origin) bool                 { return true }
func (nothingHappens) message(*inboundSA, []byte, bool, origin) bool { return true }
func (nothingHappens) firstUse(*inboundSA)                           {}
func (nothingHappens) elsewhere(*peer, origin)                       {}

// newDatapath joins two ends whose PLPMTU and last settled PLPMTU are given.
func newDatapath(t testing.TB, offload bool, config conf.Tunnel, plpmtu, settled int) *datapath {
	t.Helper()
	return ends{offload: offload, config: config, plpmtu: plpmtu, settled: settled}.join(t)
}

// join makes the datapath between the ends.
func (e ends) join(t testing.TB) *datapath {
	t.Helper()
	fatal := func(err error) {
		if err != nil {
			t.Helper()
			t.Fatal(err)
		}
	}
	for _, o := range []*outside{&e.from, &e.to} {
		if !o.address.IsValid() {
			o.address = netip.MustParseAddr("127.0.0.1")
		}
	}
	if e.events == nil {
		e.events = nothingHappens{}
	}
	if e.suite == 0 {
		e.suite = esp.AES256GCM
	}
	if e.plpmtu == 0 {
		e.plpmtu, e.settled = netlab.EthernetMTU, netlab.EthernetMTU
	}
	cfg := udp.Config{DontFragment: true, Offload: e.offload, SendBuffer: e.sendBuffer}
	sending := cfg
	if e.outlets > 0 {
		sending.Sockets, sending.Outlets = 2, e.outlets
	}
	from, err := e.from.listen(sending)
	fatal(err)
	t.Cleanup(from.Close)
	to, err := e.to.listen(cfg)
	fatal(err)
	t.Cleanup(to.Close)

	keymat := make([]byte, esp.KeyMaterialSize)
	out, err := esp.NewOutbound(esp.MinSPI, e.suite, keymat)
	fatal(err)
	in, err := esp.NewInbound(esp.MinSPI, e.suite, keymat)
	fatal(err)
	far := newPeer(conf.Peer{Name: "far", AllowedIPs: netlab.Prefixes(rightIP+"/32", rightIP6+"/128")})
	near := newPeer(conf.Peer{Name: "near", AllowedIPs: netlab.Prefixes(leftIP+"/32", leftIP6+"/128")})
	if e.backwards {
		far, near = near, far
	}
	far.sas.current = &saPair{outbound: &outboundSA{Outbound: out}}
	far.setPath(newPath(netip.AddrPortFrom(e.to.address, to.Addrs()[0].Port()), e.from.address).with(e.plpmtu, e.settled, 1500))
	near.setPath(newPath(netip.AddrPortFrom(e.from.address, from.Addrs()[0].Port()), e.to.address).with(e.plpmtu, e.settled, 1500))
	inbound := &inboundSA{spi: esp.MinSPI, peer: near, in: in}
	inbound.fragments.Arrived = func(seq uint32) bool { return in.Window().Check(seq) == esp.ErrReplay }
	spis := new(spiTable)
	spis.add(inbound)

	d := &datapath{peer: far, from: from, to: to, told: new(written), arrived: new(written)}
	d.transmit = &transmitter{
		routes: newRoutes([]*peer{far}), returns: &returns{portOf(from.Addrs()[0].Port()), new(places)}, drops: new(drops),
		forwarder: newForwarder(newSender(transmitterPlace(0, 1), from, e.events), policyOf(e.config), d.told),
	}
	d.receiver = &receiver{
		inbox: to.Inboxes()[0], writer: d.arrived, clampMSS: e.config.MSSClamp,
		routes: newRoutes([]*peer{near}), spis: spis, drops: new(drops), events: nothingHappens{},
	}
	if e.offload {
		d.receiver.coalescer = &inner.Coalescer{Write: d.receiver.write, UDP: true}
	}
	return d
}

// send does the transmitter's work on a packet that it has read.
func (d *datapath) send(packet []byte, o inner.Offload) error {
	d.transmit.packet(packet, o)
	return d.flush()
}

// endWhenHanging closes the receiving end, whose batch waits for a datagram without
// a limit of its own, when nothing can come any more. stop takes that back.
func (d *datapath) endWhenHanging() (stop func() bool) {
	return time.AfterFunc(hanging, d.to.Close).Stop
}

// flush sends the gathered datagrams.
func (d *datapath) flush() error { return d.transmit.forwarder.sender.flush() }

// load is a packet of a flow as the host hands it over: a superpacket if the
// payload is larger than a segment. Its checksum is left to be completed.
type load struct {
	v6, udp          bool
	ecn              bool   // capable of congestion marks
	port             uint16 // of the source
	seq              uint32 // of TCP
	payload, segment int
}

func (l load) String() string {
	protocol, version := "TCP", "IPv4"
	if l.udp {
		protocol = "UDP"
	}
	if l.v6 {
		version = "IPv6"
	}
	return fmt.Sprintf("%d bytes of %s over %s in segments of %d", l.payload, protocol, version, l.segment)
}

// headers returns the length of the headers, those of IP included, in bytes.
func (l load) headers() int {
	n := 20
	if l.v6 {
		n = 40
	}
	if l.udp {
		return n + 8
	}
	return n + 32 // with timestamps
}

func (l load) packet() ([]byte, inner.Offload) {
	const tcp, udp = 6, 17
	o := inner.Offload{NeedsChecksum: true, ChecksumStart: 20, ChecksumOffset: 16}
	kind, protocol := inner.GSOTCPv4, byte(tcp)
	if l.udp {
		kind, protocol = inner.GSOUDP, udp
		o.ChecksumOffset = 6
	}
	var b, rest []byte
	if l.v6 {
		o.ChecksumStart = 40
		b = ipv6Packet(leftIP6, rightIP6, l.headers()+l.payload)
		b[6], b[7] = protocol, 64
		if l.ecn {
			b[1] = 2 << 4 // ECT(0)
		}
		rest = b[40:]
		if !l.udp {
			kind = inner.GSOTCPv6
		}
	} else {
		b = ipv4Packet(leftIP, rightIP, l.headers()+l.payload)
		b[6], b[8], b[9] = 0x40, 64, protocol // DF, TTL
		if l.ecn {
			b[1] = 2 // ECT(0)
		}
		binary.BigEndian.PutUint16(b[10:], ^sum16(b[:20]))
		rest = b[20:]
	}
	binary.BigEndian.PutUint16(rest, 40000+l.port)
	binary.BigEndian.PutUint16(rest[2:], 5201)
	if l.udp {
		binary.BigEndian.PutUint16(rest[4:], uint16(len(rest)))
	} else {
		binary.BigEndian.PutUint32(rest[4:], l.seq)
		rest[12], rest[13] = 8<<4, 0x10 // ACK
		rest[20], rest[21], rest[22], rest[23] = 1, 1, 8, 10
	}
	for i := range l.payload {
		b[l.headers()+i] = byte(i*7 + i>>8)
	}
	addresses := b[12:20]
	if l.v6 {
		addresses = b[8:40]
	}
	length := len(rest)
	pseudo := append([]byte{0, protocol, byte(length >> 8), byte(length)}, addresses...)
	binary.BigEndian.PutUint16(rest[o.ChecksumOffset:], sum16(pseudo))
	if l.payload > l.segment {
		o.Kind, o.SegmentSize, o.HeaderSize = kind, uint16(l.segment), uint16(l.headers())
	}
	return b, o
}

// sum16 is the sum of RFC 1071, not complemented.
func sum16(b []byte) uint16 {
	sum := uint32(0)
	for i, x := range b {
		sum += uint32(x) << (8 * (1 - i%2))
	}
	for sum>>16 != 0 {
		sum = sum>>16 + sum&0xffff
	}
	return uint16(sum)
}

// tcpSuper returns a TCP superpacket with payload bytes of payload.
func tcpSuper(payload, segment int) ([]byte, inner.Offload) {
	return load{payload: payload, segment: segment}.packet()
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
	if err := d.flush(); err != nil {
		t.Fatal(err)
	}
	for before := d.arrived.bytes; d.arrived.bytes-before < packets*len(packet); {
		if _, err := d.receiver.batch(); err != nil {
			t.Fatal(err)
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
// size that a search or a suspicion has only begun with. What is carried in UDP
// is not answered up to the size of an Ethernet: the host would refuse to send
// what has just arrived.
func TestWhatHostsAreTold(t *testing.T) {
	const (
		base, full = 1228, 1500
		udp, gre   = 17, 47
	)
	inner4 := func(plpmtu int) int { return esp.InnerMTU(false, plpmtu) }
	for _, test := range []struct {
		name            string
		oversize        string
		plpmtu, settled int
		v6              bool
		protocol        byte
		size            int
		told            int // 0: nothing
		crosses         bool
	}{
		{"carry, settled", conf.OversizeCarry, base, base, false, gre, 1400, inner4(base), true},
		{"carry, while the path is searched", conf.OversizeCarry, base, full, false, gre, 1400, 0, true},
		{"carry, above what the last search has found", conf.OversizeCarry, base, 1400, false, gre, 1400, inner4(1400), true},
		{"carry, while the path grows", conf.OversizeCarry, 1400, base, false, gre, 1400, inner4(1400), true},
		{"carry, UDP as large as an Ethernet takes", conf.OversizeCarry, base, base, false, udp, 1500, 0, true},
		{"carry, UDP over IPv6", conf.OversizeCarry, base, base, true, udp, 1500, 0, true},
		{"carry, larger UDP", conf.OversizeCarry, base, base, false, udp, 1501, 1500, true},
		{"signal, settled", conf.OversizeSignal, base, base, false, udp, 1400, inner4(base), false},
		{"signal, while the path is searched", conf.OversizeSignal, base, full, false, udp, 1400, 0, true},
		{"signal, above what the last search has found", conf.OversizeSignal, base, 1400, false, udp, 1400, inner4(1400), false},
		{"IPv6 up to 1280 bytes", conf.OversizeSignal, 576, 576, true, udp, 1280, 0, true},
		{"IPv6 above 1280 bytes", conf.OversizeSignal, 576, 576, true, udp, 1281, 1280, false},
		{"drop", conf.OversizeDrop, base, base, false, udp, 1400, 0, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			d := newDatapath(t, true, conf.Tunnel{Oversize: test.oversize}, test.plpmtu, test.settled)
			packet := ipv4Packet(leftIP, rightIP, test.size)
			packet[6], packet[9] = 0x40, test.protocol
			sumHeader(packet)
			if test.v6 {
				packet = ipv6Packet(leftIP6, rightIP6, test.size)
				packet[6] = test.protocol
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
				defer d.endWhenHanging()()
				for d.arrived.packets == 0 {
					if _, err := d.receiver.batch(); err != nil {
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
			sumHeader(packet)
			if err := d.send(packet, o); err != nil {
				t.Fatal(err)
			}
		}
		cut, fragmented := d.peer.surgery.tcpCut.Load(), d.peer.surgery.fragmented.Load()
		if df && (cut != 3 || fragmented != 0) || !df && (cut != 0 || fragmented != 3) {
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
