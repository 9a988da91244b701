package inner

import (
	"bytes"
	"encoding/binary"
)

const (
	// coalesceFlows is how many flows are joined at once.
	coalesceFlows = 16
	// maxSuperpacket is the largest superpacket in bytes.
	maxSuperpacket = 65535
	// maxJoined is the most packets in one superpacket: the kernel's limit for
	// UDP.
	maxJoined = 64
)

// Coalescer joins packets of a flow that follow each other into superpackets,
// as receive offload (GRO) does: TCP segments in order, and UDP datagrams of
// one size. It copies nothing: a superpacket is handed on as the list of its
// parts. Nothing waits in it longer than until the next Flush, and packets of
// one flow leave it in the order in which they came. It is not safe for
// concurrent use.
type Coalescer struct {
	// Write takes a superpacket, or a packet that was not joined: its parts,
	// one after the other, and the work left to the host. The parts are valid
	// during the call, and so is the list.
	Write func(parts [][]byte, o Offload)
	// UDP says that the host takes superpackets of UDP.
	UDP bool

	flows  [coalesceFlows]run
	next   int  // slot that makes room next
	last   *run // that of the last packet, which most go on with
	single [1][]byte
}

// run is a superpacket that grows.
type run struct {
	parts   [][]byte // the first whole, of the others the payload
	ports   uint32   // of the source, and of the destination
	head    Packet   // of the first packet
	headers int      // length of all headers
	segment int      // payload bytes of each packet but the last
	total   int      // bytes so far
	nextSeq uint32   // of TCP
	closed  bool     // nothing may follow
	checked bool     // the first packet's checksums were found right
}

// Add takes in a packet. Its bytes must stay as they are until the next Flush,
// and become the Coalescer's to change.
func (c *Coalescer) Add(p *Packet) {
	headers, payload := c.joinable(p)
	if headers == 0 {
		if p.Protocol == protoTCP || p.Protocol == protoUDP {
			c.flush(c.find(p))
		}
		c.pass(p)
		return
	}
	r := c.find(p)
	if r != nil && c.join(r, p, headers, payload) {
		return
	}
	c.flush(r)
	if payload == 0 || p.Protocol == protoTCP && p.Bytes[p.Header+13]&(tcpFIN|tcpPSH) != 0 {
		c.pass(p) // nothing can follow in the same superpacket
		return
	}
	c.start(r, p, headers, payload)
}

// Flush hands on all that is held.
func (c *Coalescer) Flush() {
	for i := range c.flows {
		if r := &c.flows[i]; len(r.parts) > 0 {
			c.flush(r)
		}
	}
}

// joinable returns the length of the headers of a packet that may be joined
// with others of its flow, and of its payload; 0, 0 if it may not.
func (c *Coalescer) joinable(p *Packet) (headers, payload int) {
	if p.Fragment || p.V6 && p.Header != ipv6HeaderSize || !p.V6 && p.Header != ipv4HeaderSize {
		return 0, 0
	}
	rest := p.Bytes[p.Header:]
	switch p.Protocol {
	case protoTCP:
		if len(rest) < tcpHeaderSize || rest[13]&^(tcpPSH|tcpFIN) != tcpACK {
			return 0, 0
		}
		length := int(rest[12]>>4) * 4
		if length < tcpHeaderSize || length > len(rest) {
			return 0, 0
		}
		return p.Header + length, len(rest) - length
	case protoUDP:
		if !c.UDP || len(rest) <= udpHeaderSize || int(binary.BigEndian.Uint16(rest[4:])) != len(rest) || rest[udpChecksum]|rest[udpChecksum+1] == 0 {
			return 0, 0
		}
		return p.Header + udpHeaderSize, len(rest) - udpHeaderSize
	}
	return 0, 0
}

// find returns the run of the packet's flow, nil if the flow has no run.
func (c *Coalescer) find(p *Packet) *run {
	if len(p.Bytes) < p.Header+4 {
		return nil
	}
	ports := binary.BigEndian.Uint32(p.Bytes[p.Header:])
	if c.last != nil && c.last.isFlowOf(p, ports) {
		return c.last
	}
	for i := range c.flows {
		if r := &c.flows[i]; r.isFlowOf(p, ports) {
			c.last = r
			return r
		}
	}
	return nil
}

// isFlowOf reports whether the run is of the flow of p, which has these ports.
func (r *run) isFlowOf(p *Packet, ports uint32) bool {
	return len(r.parts) > 0 && r.ports == ports && r.head.Protocol == p.Protocol && r.head.V6 == p.V6 &&
		r.head.Source == p.Source && r.head.Destination == p.Destination
}

// start makes p the first of a run, in the slot r if that is not nil.
func (c *Coalescer) start(r *run, p *Packet, headers, payload int) {
	if r == nil {
		r = &c.flows[c.next]
		c.next = (c.next + 1) % coalesceFlows
		c.flush(r)
	}
	c.last = r
	*r = run{parts: append(r.parts[:0], p.Bytes), ports: binary.BigEndian.Uint32(p.Bytes[p.Header:]), head: *p, headers: headers, segment: payload, total: len(p.Bytes)}
	if p.Protocol == protoTCP {
		r.nextSeq = binary.BigEndian.Uint32(p.Bytes[p.Header+4:]) + uint32(payload)
	}
}

// join appends p to a run if it follows, and reports whether it did.
func (c *Coalescer) join(r *run, p *Packet, headers, payload int) bool {
	if r.closed || headers != r.headers || payload == 0 || payload > r.segment ||
		r.total+payload > maxSuperpacket || len(r.parts) == maxJoined || !r.continues(p) {
		return false
	}
	if !r.checked {
		if !headerValid(&r.head) || !checksumValid(&r.head) {
			return false
		}
		r.checked = true
	}
	if !headerValid(p) || !checksumValid(p) {
		return false
	}
	r.parts = append(r.parts, p.Bytes[headers:])
	r.total += payload
	r.closed = payload < r.segment
	if p.Protocol == protoTCP {
		flags := p.Bytes[p.Header+13]
		r.head.Bytes[p.Header+13] |= flags & (tcpFIN | tcpPSH)
		r.closed = r.closed || flags&(tcpFIN|tcpPSH) != 0
		r.nextSeq += uint32(payload)
	}
	return true
}

// continues reports whether the headers of p are those that cutting a
// superpacket would give it.
func (r *run) continues(p *Packet) bool {
	a, b := r.head.Bytes, p.Bytes
	differ := binary.BigEndian.Uint64(a) ^ binary.BigEndian.Uint64(b)
	if p.V6 {
		// Version, class and flow label; next header and hop limit.
		if differ&0xffffffff_0000_ffff != 0 {
			return false
		}
	} else {
		// Version and TOS; flags; TTL. The identification must count, unless DF
		// makes it mean nothing (RFC 6864).
		if differ&0xffff_0000_0000_ffff != 0 || a[8] != b[8] {
			return false
		}
		if !p.DontFragment && binary.BigEndian.Uint16(b[4:]) != binary.BigEndian.Uint16(a[4:])+uint16(len(r.parts)) {
			return false
		}
	}
	if p.Protocol == protoUDP {
		return true
	}
	s, t := a[r.head.Header:], b[p.Header:]
	// Acknowledgment, data offset with the bits behind it, and window; not the
	// flags, of which the only ones that may differ are those of the last packet.
	return binary.BigEndian.Uint32(t[4:]) == r.nextSeq &&
		(binary.BigEndian.Uint64(s[8:])^binary.BigEndian.Uint64(t[8:]))&0xffffffff_ff00_ffff == 0 &&
		bytes.Equal(s[tcpHeaderSize:r.headers-r.head.Header], t[tcpHeaderSize:r.headers-r.head.Header])
}

// checksumValid verifies the TCP or UDP checksum. The host trusts the checksum of
// a joined packet, so it must be verified before joining.
func checksumValid(p *Packet) bool {
	rest := p.Bytes[p.Header:]
	return pseudoHeader(p.Bytes, p.Protocol, len(rest)).add(rest).valid()
}

// pass hands on a packet as it is.
func (c *Coalescer) pass(p *Packet) {
	c.single[0] = p.Bytes
	c.Write(c.single[:], Offload{})
}

// flush hands on a run, if there is one, and empties its slot.
func (c *Coalescer) flush(r *run) {
	if r == nil || len(r.parts) == 0 {
		return
	}
	var o Offload
	if len(r.parts) > 1 {
		o = r.finish()
	}
	c.Write(r.parts, o)
	r.parts = r.parts[:0]
}

// finish gives the first packet the headers of the superpacket.
func (r *run) finish() Offload {
	head := r.head.Bytes[:r.headers]
	length := r.total - r.head.Header // of TCP or UDP, header and payload
	o := Offload{
		NeedsChecksum: true,
		ChecksumStart: uint16(r.head.Header),
		HeaderSize:    uint16(r.headers),
		SegmentSize:   uint16(r.segment),
	}
	if r.head.V6 {
		binary.BigEndian.PutUint16(head[4:], uint16(length))
	} else {
		binary.BigEndian.PutUint16(head[2:], uint16(r.total))
		setIPv4Checksum(head[:r.head.Header])
	}
	rest := head[r.head.Header:]
	partial := pseudoHeader(head, r.head.Protocol, length)
	switch {
	case r.head.Protocol == protoUDP:
		o.Kind, o.ChecksumOffset = GSOUDP, udpChecksum
		binary.BigEndian.PutUint16(rest[4:], uint16(length))
		partial.putPartial(rest[udpChecksum:])
	case r.head.V6:
		o.Kind, o.ChecksumOffset = GSOTCPv6, tcpChecksum
		partial.putPartial(rest[tcpChecksum:])
	default:
		o.Kind, o.ChecksumOffset = GSOTCPv4, tcpChecksum
		partial.putPartial(rest[tcpChecksum:])
	}
	return o
}
