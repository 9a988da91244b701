//go:build linux

package test

import (
	"bytes"
	"encoding/binary"
	"testing"
	"time"

	"fathom/test/gateway"
	"fathom/test/netlab"
	"fathom/test/netlab/labtest"
	"fathom/test/tier"
	"fathom/tunnel/inner"
)

// TestNoFloodOfDuplicateACKs counts the duplicate acknowledgments around a
// shrink. RFC 5681 (4.2) and RFC 2018 (4) let the receiver of data send one for
// each segment that does not come next. Its sender has none to send, since
// nothing but acknowledgments comes back.
func TestNoFloodOfDuplicateACKs(t *testing.T) {
	tier.Select(t, tier.OffloadOnly)
	for name, icmp := range map[string]bool{"with ICMP": true, "in a black hole": false} {
		t.Run(name, func(t *testing.T) {
			l := newDelayedPath(t, "", "", 20*time.Millisecond)
			up(t, l.a, l.b)
			exact(t, l.a, 1500)
			l.R.CutPTB(!icmp)
			l.S.CutPTB(!icmp)
			atA := labtest.Capture(t, l.A.Interface(gateway.Device))
			atB := labtest.Capture(t, l.B.Interface(gateway.Device))
			if _, alive := l.gapAround(t, l.A, l.B, innerB4, within, func() { l.middle.SetMTU(1400) }); !alive {
				t.Error("the transfer has stalled")
			}
			exact(t, l.a, 1400)
			atA.Stop()
			atB.Stop()
			fromSender, outOfOrder := duplicateACKs(atB), segmentsOutOfOrder(atB)
			fromReceiver := duplicateACKs(atA)
			t.Logf("%d duplicate ACKs for %d segments out of order; %d of the sender", fromReceiver, outOfOrder, fromSender)
			if outOfOrder == 0 {
				t.Error("nothing was lost, so the test has shown nothing")
			}
			if fromReceiver > outOfOrder {
				t.Errorf("%d duplicate ACKs for %d segments out of order", fromReceiver, outOfOrder)
			}
			if fromSender > 0 {
				t.Errorf("the sender of data has sent %d duplicate ACKs", fromSender)
			}
		})
	}
}

// segment holds the fields of a TCP segment.
type segment struct {
	seq, ack uint32
	window   uint16
	sack     bool
	data     int // bytes
	flags    byte
}

const (
	fin, syn = 1, 2
)

// segments returns the TCP segments that an interface has handed to its host.
func segments(c *netlab.Capture) (list []segment) {
	for _, packet := range c.Packets() {
		p, ok := inner.Parse(packet.Data)
		if packet.Sent || !ok || p.Protocol != 6 || len(p.Bytes) < p.Header+20 {
			continue
		}
		tcp := p.Bytes[p.Header:]
		header := int(tcp[12]>>4) * 4
		list = append(list, segment{seq: binary.BigEndian.Uint32(tcp[4:]), ack: binary.BigEndian.Uint32(tcp[8:]), flags: tcp[13],
			window: binary.BigEndian.Uint16(tcp[14:]), sack: bytes.Contains(tcp[20:header], []byte{1, 1, 5}), data: len(tcp) - header})
	}
	return list
}

// duplicateACKs counts the segments that only repeat the acknowledgment before,
// or that and blocks (RFC 5681, 2). One with another window and no blocks tells
// of the window.
func duplicateACKs(c *netlab.Capture) (n int) {
	var last segment
	for _, s := range segments(c) {
		if s.data == 0 && s.flags&(syn|fin) == 0 && last.flags != 0 && last.flags&syn == 0 && s.ack == last.ack && (s.sack || s.window == last.window) {
			n++
		}
		last = s
	}
	return n
}

// segmentsOutOfOrder counts the segments with data that come behind a hole, fill
// one, or come for the second time.
func segmentsOutOfOrder(c *netlab.Capture) (n int) {
	var next uint32                   // up to here all has come
	behind := make(map[uint32]uint32) // what has come behind a hole: from, to
	for _, s := range segments(c) {
		switch end := s.seq + uint32(s.data); {
		case s.flags&syn != 0:
			next = end + 1
		case s.data == 0:
		case s.seq == next && len(behind) == 0:
			next = end
		default:
			n++
			behind[s.seq] = max(behind[s.seq], end)
			for moved := true; moved; {
				moved = false
				for from, to := range behind {
					if int32(from-next) <= 0 {
						delete(behind, from)
						if int32(to-next) > 0 {
							next, moved = to, true
						}
					}
				}
			}
		}
	}
	return n
}
