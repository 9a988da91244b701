package inner

import "encoding/binary"

// TCP flags.
const (
	tcpFIN = 0x01
	tcpSYN = 0x02
	tcpRST = 0x04
	tcpPSH = 0x08
	tcpACK = 0x10
	tcpURG = 0x20
	tcpCWR = 0x80

	tcpAE = 0x01 // in the byte before the others (RFC 9768)
)

// Cutter cuts a TCP packet or superpacket into pieces as TSO does, or a UDP
// superpacket into its datagrams, and writes one piece after the other. The
// zero value has no piece. It is reused from packet to packet and allocates
// nothing.
type Cutter struct {
	packet  []byte // not changed
	ip      int    // length of the IP headers
	headers int    // length of all headers
	size    int    // payload bytes of each piece but the last
	offset  int    // of the next piece's payload, behind the headers
	number  uint16 // of the next piece
	v6, udp bool
	keepCWR bool // in all pieces of TCP
}

// TCP prepares to cut a TCP packet into pieces of at most mtu bytes. The packet
// must stay unchanged until the last piece is written.
//
// With segment, the packet is a superpacket whose pieces have at most segment
// bytes of payload, as its sender has chosen. Its checksum is not verified,
// since the host has left it to us. With 0 it is a packet that may have come
// from afar. Its checksums must be right: a damaged packet in pieces with right
// checksums would pass for a good one.
//
// CWR means one of two things: the answer to a congestion mark, which is given
// once (RFC 3168 section 6.1.2), or a digit of AccECN's counter, which all pieces
// must have (RFC 9768 section 3.2.2). AE is set with the counter alone. In a
// superpacket without AE, CWR is the answer and goes into the first piece alone,
// as with the kernel's TSO: superpackets with a counter need a feature that our
// device does not have. In a packet from afar CWR without AE can be either. It
// goes into all pieces, as where the kernel cuts what it has joined: a repeated
// answer can hide a mark, but only from a sender that has just slowed down,
// while a counter that jumps is taken for up to seven marks.
//
// The error is ErrCannotCut for packets that are not TCP or are damaged, for
// fragments, for SYN, RST and URG, for packets that are authenticated as a whole
// (TCP MD5, RFC 2385, and TCP-AO, RFC 5925), and for those whose addresses are
// not the ones that the checksum covers (source routes); ErrMalformed; or
// ErrTooSmall.
func (c *Cutter) TCP(p *Packet, segment, mtu int) error {
	*c = Cutter{}
	if p.Protocol != protoTCP || p.Fragment || p.routed {
		return ErrCannotCut
	}
	tcp := p.Bytes[p.Header:]
	if len(tcp) < tcpHeaderSize {
		return ErrMalformed
	}
	length := int(tcp[12]>>4) * 4
	if length < tcpHeaderSize || length > len(tcp) {
		return ErrMalformed
	}
	if tcp[13]&(tcpSYN|tcpURG|tcpRST) != 0 || authenticated(tcp[tcpHeaderSize:length]) ||
		segment == 0 && (!headerValid(p) || !checksumValid(p)) {
		return ErrCannotCut
	}
	c.keepCWR = segment == 0 || tcp[12]&tcpAE != 0
	return c.prepare(p, p.Header+length, segment, mtu)
}

// UDP prepares to cut a UDP superpacket into datagrams of segment bytes of
// payload each. Datagrams are never made smaller than their sender wants
// them. The error is as that of TCP; ErrTooSmall says that a datagram is
// larger than mtu.
func (c *Cutter) UDP(p *Packet, segment, mtu int) error {
	*c = Cutter{}
	if p.Protocol != protoUDP || p.Fragment || p.routed {
		return ErrCannotCut
	}
	if len(p.Bytes) < p.Header+udpHeaderSize || segment == 0 {
		return ErrMalformed
	}
	c.udp = true
	headers := p.Header + udpHeaderSize
	if headers+min(segment, len(p.Bytes)-headers) > mtu {
		return ErrTooSmall
	}
	return c.prepare(p, headers, segment, mtu)
}

func (c *Cutter) prepare(p *Packet, headers, segment, mtu int) error {
	c.size = mtu - headers
	if segment > 0 {
		c.size = min(c.size, segment)
	}
	if c.size <= 0 {
		return ErrTooSmall
	}
	c.packet, c.ip, c.headers, c.v6 = p.Bytes, p.Header, headers, p.V6
	return nil
}

// Pieces returns how many pieces are still to come.
func (c *Cutter) Pieces() int {
	switch payload := len(c.packet) - c.headers - c.offset; {
	case c.packet == nil, payload == 0 && c.number > 0:
		return 0
	default:
		return max(1, (payload+c.size-1)/c.size)
	}
}

// Largest returns the size of the next piece in bytes. No later piece is larger.
func (c *Cutter) Largest() int {
	return c.headers + min(c.size, len(c.packet)-c.headers-c.offset)
}

// Oversize returns how many of the superpacket's segments, as its sender has
// chosen them, are larger than the pieces that they are cut to.
func (c *Cutter) Oversize(segment int) int {
	if segment <= c.size {
		return 0
	}
	payload := len(c.packet) - c.headers
	n := payload / segment
	if payload%segment > c.size {
		n++
	}
	return n
}

// Next appends the next piece, a complete packet with right checksums, to dst.
// It returns false when no piece is left.
func (c *Cutter) Next(dst []byte) ([]byte, bool) {
	payload := len(c.packet) - c.headers - c.offset
	if c.packet == nil || payload < 0 || payload == 0 && c.number > 0 {
		return dst, false
	}
	last := payload <= c.size
	payload = min(payload, c.size)
	start := len(dst)
	dst = append(dst, c.packet[:c.headers]...)
	from := c.headers + c.offset
	dst = append(dst, c.packet[from:from+payload]...)
	piece := dst[start:]

	if c.v6 {
		binary.BigEndian.PutUint16(piece[4:], uint16(len(piece)-ipv6HeaderSize))
	} else {
		binary.BigEndian.PutUint16(piece[2:], uint16(len(piece)))
		binary.BigEndian.PutUint16(piece[4:], binary.BigEndian.Uint16(piece[4:])+c.number)
		setIPv4Checksum(piece[:c.ip])
	}
	if c.udp {
		c.finishUDP(piece)
	} else {
		c.finishTCP(piece, last)
	}
	c.offset += payload
	c.number++
	return dst, true
}

// Skip leaves the next piece out, as if it were lost on the way.
func (c *Cutter) Skip() {
	c.offset += min(c.size, len(c.packet)-c.headers-c.offset)
	c.number++
}

func (c *Cutter) finishTCP(piece []byte, last bool) {
	tcp := piece[c.ip:]
	binary.BigEndian.PutUint32(tcp[4:], binary.BigEndian.Uint32(tcp[4:])+uint32(c.offset))
	if !last {
		tcp[13] &^= tcpFIN | tcpPSH
	}
	if c.number > 0 && !c.keepCWR {
		tcp[13] &^= tcpCWR
	}
	tcp[tcpChecksum], tcp[tcpChecksum+1] = 0, 0
	pseudoHeader(piece, protoTCP, len(tcp)).add(tcp).putChecksum(tcp[tcpChecksum:])
}

func (c *Cutter) finishUDP(piece []byte) {
	udp := piece[c.ip:]
	binary.BigEndian.PutUint16(udp[4:], uint16(len(udp)))
	udp[udpChecksum], udp[udpChecksum+1] = 0, 0
	pseudoHeader(piece, protoUDP, len(udp)).add(udp).putChecksum(udp[udpChecksum:])
	if udp[udpChecksum] == 0 && udp[udpChecksum+1] == 0 {
		udp[udpChecksum], udp[udpChecksum+1] = 0xff, 0xff // zero means none (RFC 768)
	}
}
