//go:build linux

package crowd

import (
	"encoding/binary"
	"net/netip"
	"time"

	"fathom/esp"
	"fathom/test/netlab"
)

// Talk lets the first of the peers send the hub's host an ICMP echo request inside
// the tunnel every so often, spread evenly over that time, while they are up. 0 peers
// ends it.
func (c *Crowd) Talk(peers int, every time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	for n, p := range c.peers {
		p.talkEvery, p.talkAt = 0, time.Time{}
		if n < peers {
			p.talkEvery, p.talkAt = every, now.Add(every*time.Duration(n)/time.Duration(peers))
			if !p.due.IsZero() {
				p.due = first(p.due, p.talkAt)
			}
		}
	}
}

// Echoes returns how many echo requests the peers have sent inside the tunnel, and how
// many answers they have.
func (c *Crowd) Echoes() (sent, answered uint64) {
	return c.echoes.sent.Load(), c.echoes.answered.Load()
}

// talk sends the echo request that is due.
func (p *peer) talk(now time.Time) {
	if p.talkAt.IsZero() || now.Before(p.talkAt) {
		return
	}
	for p.talkAt = p.talkAt.Add(p.talkEvery); p.talkAt.Before(now); {
		p.talkAt = p.talkAt.Add(p.talkEvery) // this process was late: no burst
	}
	if p.current == nil {
		return
	}
	packet, _, err := p.current.out.Seal(&p.crowd.scratch, nil, appendEcho(nil, p.inner, hubInner), esp.NextHeaderIPv4)
	if err == nil {
		p.crowd.echoes.sent.Add(1)
		p.send(packet)
	}
}

const (
	ipv4Header, icmpHeader = 20, 8
	protocolICMP           = 1
	echoRequest, echoReply = 8, 0
	echoPayload            = 56 // bytes, as ping sends
)

// appendEcho appends an IPv4 packet with an ICMP echo request.
func appendEcho(b []byte, from, to netip.Addr) []byte {
	start := len(b)
	b = append(b, make([]byte, ipv4Header+icmpHeader+echoPayload)...)
	packet := b[start:]
	packet[0], packet[8], packet[9] = 4<<4|ipv4Header/4, 64, protocolICMP
	binary.BigEndian.PutUint16(packet[2:], uint16(len(packet)))
	copy(packet[12:], from.AsSlice())
	copy(packet[16:], to.AsSlice())
	binary.BigEndian.PutUint16(packet[10:], netlab.Checksum(0, packet[:ipv4Header]))
	message := packet[ipv4Header:]
	message[0] = echoRequest
	binary.BigEndian.PutUint16(message[2:], netlab.Checksum(0, message))
	return b
}

// isEchoReply reports whether an inner packet is an answer to appendEcho's.
func isEchoReply(packet []byte) bool {
	return len(packet) == ipv4Header+icmpHeader+echoPayload && packet[9] == protocolICMP && packet[ipv4Header] == echoReply
}
