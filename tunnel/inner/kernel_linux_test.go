package inner_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"testing"
	"time"

	"fathom/test/netlab"
	"fathom/test/netlab/labtest"
	"fathom/tunnel/inner"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"golang.org/x/sys/unix"
	"pgregory.net/rapid"
)

// The kernel does the work of this package too, in another way. Here both get the
// same packets:
//
//	             in                        out, without offloads
//	superpacket ───▶ kernel, which routes ───▶ segments, fragments
//	           └───▶ Cutter, Fragmenter  ────▶ the same bytes?

// tun is a TUN device in a host.
type tun struct {
	t  testing.TB
	fd int
	*netlab.Interface
}

// newTUN makes a device whose reader takes superpackets if offload is set;
// with or without, packets have a virtio_net_hdr before them.
func newTUN(t testing.TB, host *netlab.Host, name string, offload int, addresses ...string) *tun {
	t.Helper()
	d := &tun{t: t}
	err := host.Do(func() (err error) {
		if d.fd, err = unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0); err != nil {
			return err
		}
		request, err := unix.NewIfreq(name)
		if err != nil {
			return err
		}
		request.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI | unix.IFF_VNET_HDR)
		if err := unix.IoctlIfreq(d.fd, unix.TUNSETIFF, request); err != nil {
			return err
		}
		return unix.IoctlSetInt(d.fd, unix.TUNSETOFFLOAD, offload)
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(d.fd) })
	d.Interface = host.Interface(name)
	d.Up()
	d.AddAddress(netlab.Prefixes(addresses...)...)
	for _, address := range netlab.Prefixes(addresses...) {
		awaitAddress(t, host, address.Addr())
	}
	return d
}

// hanging is longer than anything takes on the slowest machine.
const hanging = time.Minute

// awaitAddress waits until a host receives packets to its address. The kernel
// makes the local route of an IPv6 address some time after the address.
func awaitAddress(t testing.TB, host *netlab.Host, address netip.Addr) {
	t.Helper()
	conn, err := host.ListenPacket("udp", netip.AddrPortFrom(address, 0).String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	var b [1]byte
	for end := time.Now().Add(hanging); time.Now().Before(end); {
		if _, err := conn.WriteTo(b[:], conn.LocalAddr()); err == nil {
			if err := conn.SetReadDeadline(time.Now().Add(10 * time.Millisecond)); err != nil {
				t.Fatal(err)
			}
			if _, _, err := conn.ReadFrom(b[:]); err == nil {
				return
			}
		}
		time.Sleep(time.Millisecond)
	}
	t.Fatalf("%s does not receive at %s", host, address)
}

// write hands a packet to the kernel.
func (d *tun) write(packet []byte, o inner.Offload) {
	d.t.Helper()
	b := make([]byte, inner.OffloadSize, inner.OffloadSize+len(packet))
	o.Encode(b)
	if _, err := unix.Write(d.fd, append(b, packet...)); err != nil {
		d.t.Fatalf("write to %s: %v", d.Name(), err)
	}
}

// read returns the next packet from the kernel to the given address; it is empty
// if none comes in time.
func (d *tun) read(to netip.Addr) ([]byte, inner.Offload) {
	d.t.Helper()
	b := make([]byte, 1<<17)
	for end := time.Now().Add(hanging); time.Now().Before(end); {
		n, err := unix.Read(d.fd, b)
		if errors.Is(err, unix.EAGAIN) {
			if _, err := unix.Poll([]unix.PollFd{{Fd: int32(d.fd), Events: unix.POLLIN}}, 100); err != nil && !errors.Is(err, unix.EINTR) {
				d.t.Fatal(err)
			}
			continue
		} else if err != nil {
			d.t.Fatalf("read from %s: %v", d.Name(), err)
		}
		if p, ok := inner.Parse(b[inner.OffloadSize:n]); ok && p.Destination == to {
			return bytes.Clone(p.Bytes), inner.DecodeOffload(b)
		}
	}
	return nil, inner.Offload{}
}

// router is the kernel between two devices.
type router struct {
	in, out *tun
}

func newRouter(t testing.TB) *router {
	host := labtest.New(t, netlab.Namespaces, netlab.TUN).Host("router")
	host.Forward()
	return &router{
		in:  newTUN(t, host, "in", 0, "10.1.0.1/24", "fd01::1/64"),
		out: newTUN(t, host, "out", 0, "10.2.0.1/24", "fd02::1/64"),
	}
}

var (
	from4, to4 = netip.MustParseAddr("10.1.0.2"), netip.MustParseAddr("10.2.0.2")
	from6, to6 = netip.MustParseAddr("fd01::2"), netip.MustParseAddr("fd02::2")
)

// compare writes a packet into the router, and wants the given ones out of it.
func (r *router) compare(rt *rapid.T, packet []byte, o inner.Offload, want [][]byte) {
	p, _ := inner.Parse(packet)
	r.in.write(packet, o)
	for i, w := range want {
		got, _ := r.out.read(p.Destination)
		if !bytes.Equal(got, w) {
			head := func(b []byte) []byte { return b[:min(len(b), 100)] }
			rt.Fatalf("packet %d of %d: the kernel has %d bytes, we have %d; first difference at %d\nkernel %x\n    we %x",
				i, len(want), len(got), len(w), differ(got, w), head(got), head(w))
		}
	}
}

// differ returns where two packets differ first.
func differ(a, b []byte) int {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return i
		}
	}
	return min(len(a), len(b))
}

// forwarded returns a copy of a packet as a router sends it on: with one hop
// less.
func forwarded(packet []byte) *inner.Packet {
	b := bytes.Clone(packet)
	if b[0]>>4 == 6 {
		b[7]--
	} else {
		b[8]--
		header := b[:b[0]&15*4]
		header[10], header[11] = 0, 0
		binary.BigEndian.PutUint16(header[10:], ^onesSum(header))
	}
	p, _ := inner.Parse(b)
	return &p
}

// drawHeaders draws the IP headers of a packet: its size, and how a payload is
// put behind them.
func drawHeaders(rt *rapid.T, protocol layers.IPProtocol, df bool) (headers []byte) {
	tos := rapid.Uint8().Draw(rt, "tos")
	if rapid.Bool().Draw(rt, "ipv6") {
		h := []byte{0x60 | tos>>4, tos<<4 | 5, 0x43, 0x21, 0, 0, byte(protocol), 64}
		h = append(append(h, from6.AsSlice()...), to6.AsSlice()...)
		if rapid.Bool().Draw(rt, "destination options") {
			h[6] = 60
			h = append(h, byte(protocol), 1, 1, 12)
			h = append(h, make([]byte, 12)...)
		}
		return h
	}
	h := []byte{0x45, tos, 0, 0, 0, 0, 0, 0, 64, byte(protocol), 0, 0}
	binary.BigEndian.PutUint16(h[4:], rapid.Uint16().Draw(rt, "id"))
	if df {
		h[6] = 0x40
	}
	h = append(append(h, from4.AsSlice()...), to4.AsSlice()...)
	if rapid.Bool().Draw(rt, "router alert") {
		h[0]++
		h = append(h, 148, 4, 0, 0)
	}
	return h
}

// onesSum is the Internet checksum's sum, plainly.
func onesSum(parts ...[]byte) uint16 {
	s := uint32(0)
	for _, b := range parts {
		for i, v := range b {
			s += uint32(v) << (8 * (1 - i%2))
		}
	}
	for s > 0xffff {
		s = s>>16 + s&0xffff
	}
	return uint16(s)
}

// superpacket puts a TCP or UDP header and payload behind IP headers, with the
// sum of the pseudo-header for a checksum, as the kernel does.
func superpacket(headers, transport []byte, checksum int, protocol uint8) []byte {
	b := append(bytes.Clone(headers), transport...)
	addresses := b[12:20]
	if b[0]>>4 == 6 {
		binary.BigEndian.PutUint16(b[4:], uint16(len(b)-40))
		addresses = b[8:40]
	} else {
		binary.BigEndian.PutUint16(b[2:], uint16(len(b)))
		b[10], b[11] = 0, 0
		binary.BigEndian.PutUint16(b[10:], ^onesSum(b[:len(headers)]))
	}
	length := binary.BigEndian.AppendUint16(nil, uint16(len(transport)))
	binary.BigEndian.PutUint16(b[len(headers)+checksum:], onesSum(addresses, length, []byte{0, protocol}))
	return b
}

// drawPayload draws bytes that are not all the same.
func drawPayload(rt *rapid.T, n int) []byte {
	b := make([]byte, n)
	seed := rapid.Uint64().Draw(rt, "bytes")
	for i := range b {
		seed = seed*6364136223846793005 + 1442695040888963407
		b[i] = byte(seed >> 56)
	}
	return b
}

func pieces(next func([]byte) ([]byte, bool)) (all [][]byte) {
	for {
		piece, ok := next(nil)
		if !ok {
			return all
		}
		all = append(all, piece)
	}
}

func TestTheKernelCutsTCPTheSameWay(t *testing.T) {
	r := newRouter(t)
	rapid.Check(t, func(rt *rapid.T) {
		headers := drawHeaders(rt, layers.IPProtocolTCP, rapid.Bool().Draw(rt, "df"))
		segment := rapid.IntRange(200, 1400).Draw(rt, "segment")
		payload := drawPayload(rt, segment+rapid.IntRange(1, 60000).Draw(rt, "payload"))
		tcp := []byte{0x9c, 0x41, 0x9c, 0x42, 0, 0, 0, 0, 1, 2, 3, 4, 0x80, 0x10, 1, 0xf4, 0, 0, 0, 0, 1, 1, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8}
		binary.BigEndian.PutUint32(tcp[4:], rapid.Uint32().Draw(rt, "seq"))
		o := inner.Offload{NeedsChecksum: true, ChecksumStart: uint16(len(headers)), ChecksumOffset: 16,
			Kind: inner.GSOTCPv4, HeaderSize: uint16(len(headers) + len(tcp)), SegmentSize: uint16(segment)}
		for _, flag := range []byte{0x01, 0x08, 0x40, 0x80} { // FIN, PSH, ECE, CWR
			if rapid.Bool().Draw(rt, "flag") {
				tcp[13] |= flag
			}
		}
		if headers[0]>>4 == 6 {
			o.Kind = inner.GSOTCPv6
		}
		packet := superpacket(headers, append(tcp, payload...), 16, 6)
		var c inner.Cutter
		if err := c.TCP(forwarded(packet), segment, 1500); err != nil {
			rt.Fatal(err)
		}
		want := pieces(c.Next)
		if len(want) < 2 {
			rt.Fatalf("%d pieces", len(want))
		}
		r.compare(rt, packet, o, want)
	})
}

func TestTheKernelCutsUDPTheSameWay(t *testing.T) {
	r := newRouter(t)
	rapid.Check(t, func(rt *rapid.T) {
		headers := drawHeaders(rt, layers.IPProtocolUDP, rapid.Bool().Draw(rt, "df"))
		segment := rapid.IntRange(100, 1400).Draw(rt, "segment")
		payload := drawPayload(rt, segment+rapid.IntRange(1, 60*segment).Draw(rt, "payload"))
		payload = payload[:min(len(payload), 60000)]
		udp := []byte{0x9c, 0x41, 0x9c, 0x42, 0, 0, 0, 0}
		binary.BigEndian.PutUint16(udp[4:], uint16(len(udp)+len(payload)))
		packet := superpacket(headers, append(udp, payload...), 6, 17)
		var c inner.Cutter
		if err := c.UDP(forwarded(packet), segment, 1500); err != nil {
			rt.Fatal(err)
		}
		r.compare(rt, packet, inner.Offload{NeedsChecksum: true, ChecksumStart: uint16(len(headers)), ChecksumOffset: 6,
			Kind: inner.GSOUDP, HeaderSize: uint16(len(headers) + 8), SegmentSize: uint16(segment)}, pieces(c.Next))
	})
}

func TestTheKernelFragmentsTheSameWay(t *testing.T) {
	r := newRouter(t)
	rapid.Check(t, func(rt *rapid.T) {
		mtu := rapid.IntRange(68, 1500).Draw(rt, "mtu")
		headers := drawHeaders(rt, layers.IPProtocolUDP, false)
		if headers[0]>>4 != 4 {
			rt.Skip("IPv6")
		}
		if rapid.Bool().Draw(rt, "a fragment") {
			binary.BigEndian.PutUint16(headers[6:], rapid.Uint16Range(1, 4000).Draw(rt, "offset")|0x2000)
		}
		payload := drawPayload(rt, 8*rapid.IntRange(mtu/8, 1000).Draw(rt, "payload"))
		packet := superpacket(headers, payload, 6, 17)
		var f inner.Fragmenter
		if err := f.Fragment(forwarded(packet), mtu); err != nil {
			rt.Fatal(err)
		}
		r.out.SetMTU(mtu)
		r.compare(rt, packet, inner.Offload{}, pieces(f.Next))
	})
}

// TestTheKernelBelievesOurPTBs: sockets of a host whose packets go into a
// tunnel learn the MTU from AppendPTB's answers to those packets, superpackets and
// unfinished checksums included.
func TestTheKernelBelievesOurPTBs(t *testing.T) {
	const offload = unix.TUN_F_CSUM | unix.TUN_F_TSO4 | unix.TUN_F_TSO6 | unix.TUN_F_USO4 | unix.TUN_F_USO6
	const mtu = 1300
	host := labtest.New(t, netlab.Namespaces, netlab.TUN).Host("host")
	host.Sysctl("net.ipv4.conf.all.rp_filter", "1") // the strictest
	d := newTUN(t, host, "tun", offload, "10.1.0.1/24", "fd01::1/64")
	for _, family := range []struct {
		name                           string
		domain, level, discovery, mtu  int
		local, remote                  netip.Addr
		connected                      unix.Sockaddr
		discover, transportHeaderStart int
	}{
		{"IPv4", unix.AF_INET, unix.IPPROTO_IP, unix.IP_MTU_DISCOVER, unix.IP_MTU,
			netip.MustParseAddr("10.1.0.1"), from4, &unix.SockaddrInet4{Port: 40000, Addr: from4.As4()}, unix.IP_PMTUDISC_DO, 20},
		{"IPv6", unix.AF_INET6, unix.IPPROTO_IPV6, unix.IPV6_MTU_DISCOVER, unix.IPV6_MTU,
			netip.MustParseAddr("fd01::1"), from6, &unix.SockaddrInet6{Port: 40000, Addr: from6.As16()}, unix.IPV6_PMTUDISC_DO, 40},
	} {
		socket := func(t *testing.T, kind int) (fd int) {
			t.Helper()
			err := host.Do(func() (err error) {
				fd, err = unix.Socket(family.domain, kind|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
				return err
			})
			if err == nil {
				t.Cleanup(func() { unix.Close(fd) })
				err = unix.SetsockoptInt(fd, family.level, family.discovery, family.discover)
			}
			if err == nil {
				err = unix.Connect(fd, family.connected)
			}
			if err != nil && !errors.Is(err, unix.EINPROGRESS) {
				t.Fatal(err)
			}
			return fd
		}
		learns := func(t *testing.T, fd int, packet []byte, want int) {
			t.Helper()
			p, ok := inner.Parse(packet)
			if !ok {
				t.Fatal("the socket sent nothing")
			}
			ptb, err := inner.AppendPTB(nil, &p, want)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := unix.GetsockoptInt(fd, family.level, family.mtu); err != nil || got <= want {
				t.Fatalf("before the PTB the MTU is %d, %v", got, err)
			}
			d.write(ptb, inner.Offload{})
			got := 0
			for end := time.Now().Add(hanging); got != want && time.Now().Before(end); time.Sleep(time.Millisecond) {
				if got, err = unix.GetsockoptInt(fd, family.level, family.mtu); err != nil {
					t.Fatal(err)
				}
			}
			if got != want {
				t.Fatalf("after the PTB the MTU is %d, want %d", got, want)
			}
		}
		t.Run("UDP over "+family.name, func(t *testing.T) {
			fd := socket(t, unix.SOCK_DGRAM)
			if _, err := unix.Write(fd, make([]byte, 1400)); err != nil {
				t.Fatal(err)
			}
			packet, o := d.read(family.remote)
			if !o.NeedsChecksum {
				t.Error("the checksum is complete, which is not what this test is for")
			}
			learns(t, fd, packet, mtu+50)
			if _, err := unix.Write(fd, make([]byte, 1400)); !errors.Is(err, unix.ECONNREFUSED) && !errors.Is(err, unix.EMSGSIZE) {
				t.Errorf("the next datagram as large: %v", err)
			}
		})
		t.Run("a superpacket of UDP over "+family.name, func(t *testing.T) {
			fd := socket(t, unix.SOCK_DGRAM)
			if err := unix.SetsockoptInt(fd, unix.IPPROTO_UDP, unix.UDP_SEGMENT, 1280); err != nil {
				t.Fatal(err)
			}
			if _, err := unix.Write(fd, make([]byte, 12800)); err != nil {
				t.Fatal(err)
			}
			packet, o := d.read(family.remote)
			if o.Kind != inner.GSOUDP {
				t.Fatalf("no superpacket: %+v", o)
			}
			learns(t, fd, packet, mtu)
		})
		t.Run("a superpacket of TCP over "+family.name, func(t *testing.T) {
			// The path's MTU is the destination's, so this is below the others.
			const mtu = 1290
			fd := socket(t, unix.SOCK_STREAM)
			packet, _ := d.read(family.remote)
			if packet == nil {
				t.Fatal("no SYN")
			}
			syn := packet[family.transportHeaderStart:]
			d.write(synAck(t, family.remote, family.local, binary.BigEndian.Uint16(syn), binary.BigEndian.Uint32(syn[4:])), inner.Offload{})
			if packet, _ := d.read(family.remote); packet == nil {
				t.Fatal("no ACK")
			}
			if _, err := unix.Write(fd, make([]byte, 12000)); err != nil {
				t.Fatal(err)
			}
			packet, o := d.read(family.remote)
			if o.Kind != inner.GSOTCPv4 && o.Kind != inner.GSOTCPv6 {
				t.Fatalf("no superpacket: %+v", o)
			}
			seq := binary.BigEndian.Uint32(packet[family.transportHeaderStart+4:])
			learns(t, fd, packet, mtu)
			for {
				again, o := d.read(family.remote)
				if again == nil {
					t.Fatal("nothing was sent again")
				}
				if binary.BigEndian.Uint32(again[family.transportHeaderStart+4:]) != seq {
					continue
				}
				if largest := int(o.SegmentSize) + int(o.HeaderSize); o.Kind != inner.GSONone && largest > mtu || o.Kind == inner.GSONone && len(again) > mtu {
					t.Errorf("sent again in packets of %d bytes: %+v", largest, o)
				}
				return
			}
		})
	}
}

// synAck answers a SYN.
func synAck(t *testing.T, from, to netip.Addr, port uint16, seq uint32) []byte {
	t.Helper()
	tcp := &layers.TCP{SrcPort: 40000, DstPort: layers.TCPPort(port), Seq: 1, Ack: seq + 1, SYN: true, ACK: true, Window: 65535,
		Options: []layers.TCPOption{{OptionType: layers.TCPOptionKindMSS, OptionLength: 4, OptionData: []byte{5, 0xa0}}}}
	var ip interface {
		gopacket.SerializableLayer
		gopacket.NetworkLayer
	} = &layers.IPv4{Version: 4, TTL: 64, Protocol: layers.IPProtocolTCP, SrcIP: net.IP(from.AsSlice()), DstIP: net.IP(to.AsSlice())}
	if from.Is6() {
		ip = &layers.IPv6{Version: 6, HopLimit: 64, NextHeader: layers.IPProtocolTCP, SrcIP: net.IP(from.AsSlice()), DstIP: net.IP(to.AsSlice())}
	}
	if err := tcp.SetNetworkLayerForChecksum(ip); err != nil {
		t.Fatal(err)
	}
	b := gopacket.NewSerializeBuffer()
	if err := gopacket.SerializeLayers(b, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}, ip, tcp); err != nil {
		t.Fatal(err)
	}
	return bytes.Clone(b.Bytes())
}
