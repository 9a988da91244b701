package netlab

import (
	"sync/atomic"
)

// Counters count the packets of one direction of a UserLink. Every packet that
// came In ends in exactly one of Filtered, TooLong, Lost, QueueDrops,
// Undeliverable and Out (or is under way); a duplicate comes on top in Out.
type Counters struct {
	In, Out           uint64
	InBytes, OutBytes uint64 // of IP packets
	Filtered          uint64 // dropped by the filter
	TooLong           uint64 // longer than Conditions.MTU
	Lost              uint64 // by chance, bursts included
	QueueDrops        uint64 // no room in the queue, or in memory (maxUnderWay)
	Duplicated        uint64 // packets that were sent twice
	Reordered         uint64 // packets that were held back
	Undeliverable     uint64 // the far device would not take it: it is down, say
}

// maxUnderWay bounds the memory for packets under way, in bytes of buffers.
const maxUnderWay = 256 << 20

// pipe is one direction of a UserLink without its devices: packets go in at
// given times and come out at others. Times are nanoseconds on any clock that
// does not go back. It does no I/O and is not safe for concurrent use, except for
// reading the counters.
//
// It keeps no queue in front of the bottleneck: when a packet comes in, it is known
// when the wire will be free for it, and so how many bytes wait. It keeps the
// packets with the times of their arrival.
type pipe struct {
	dice     dice
	turn     turn     // of the lines of a bundle
	wireFree int64    // when the last bit of the last accepted packet has left
	line     ring     // in order of arrival
	held     arrivals // packets held back
	buffers  buffers
	count    struct {
		in, out, inBytes, outBytes, filtered, tooLong, lost,
		queueDrops, duplicated, reordered, undeliverable atomic.Uint64
	}
}

// accept takes a packet that came in now; it copies it. It returns the MTU that the
// packet is too long for, 0 if it is not.
func (p *pipe) accept(now int64, c *Conditions, packet []byte) (mtu int) {
	f := p.dice.next(c, len(packet))
	if mtu := p.turn.mtu(c); mtu > 0 && len(packet) > mtu {
		p.count.tooLong.Add(1)
		return mtu
	}
	if f.lost {
		p.count.lost.Add(1)
		return 0
	}
	sent := now
	if c.Rate > 0 {
		start := max(now, p.wireFree)
		waiting := float64(start-now) * float64(c.Rate) / 8e9
		if waiting > 0 && waiting+float64(len(packet)) > float64(c.queueBytes()) {
			p.count.queueDrops.Add(1)
			return 0
		}
		sent = start + int64(len(packet))*8e9/c.Rate
		p.wireFree = sent
	}
	arrival := sent + int64(max(0, c.Delay+f.jitter))
	copies := 1
	if f.duplicated {
		copies = 2
	}
	for n := range copies {
		data := p.buffers.get(packet)
		if data == nil {
			if n == 0 {
				p.count.queueDrops.Add(1)
			}
			return 0
		}
		if f.heldBack {
			p.held.push(underWay{at: arrival + int64(c.reorderBy()), data: data})
		} else {
			p.line.push(underWay{at: arrival, data: data})
		}
	}
	if f.heldBack {
		p.count.reordered.Add(1)
	}
	if f.duplicated {
		p.count.duplicated.Add(1)
	}
	return 0
}

// next says when the next packet arrives; ok is false when none is under way.
func (p *pipe) next() (at int64, ok bool) {
	switch {
	case p.line.len() == 0 && len(p.held) == 0:
		return 0, false
	case p.line.len() == 0:
		return p.held[0].at, true
	case len(p.held) == 0:
		return p.line.first().at, true
	}
	return min(p.line.first().at, p.held[0].at), true
}

// take returns the next packet that has arrived by now, or nil. Give it back
// with release.
func (p *pipe) take(now int64) []byte {
	at, ok := p.next()
	if !ok || at > now {
		return nil
	}
	if p.line.len() > 0 && p.line.first().at == at {
		return p.line.pop().data
	}
	return p.held.pop().data
}

// release ends the use of a packet that take returned.
func (p *pipe) release(packet []byte, delivered bool) {
	if delivered {
		p.count.out.Add(1)
		p.count.outBytes.Add(uint64(len(packet)))
	} else {
		p.count.undeliverable.Add(1)
	}
	p.buffers.put(packet)
}

func (p *pipe) counters() Counters {
	n := &p.count
	return Counters{
		In: n.in.Load(), Out: n.out.Load(), InBytes: n.inBytes.Load(), OutBytes: n.outBytes.Load(),
		Filtered: n.filtered.Load(), TooLong: n.tooLong.Load(), Lost: n.lost.Load(), QueueDrops: n.queueDrops.Load(),
		Duplicated: n.duplicated.Load(), Reordered: n.reordered.Load(), Undeliverable: n.undeliverable.Load(),
	}
}
