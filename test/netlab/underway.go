package netlab

import "container/heap"

// underWay is a packet and the time of its arrival.
type underWay struct {
	at   int64
	data []byte
}

// ring is a queue: first in, first out. The zero value is empty.
type ring struct {
	slots       []underWay // a power of two of them
	head, count int
}

func (r *ring) len() int { return r.count }

func (r *ring) first() *underWay { return &r.slots[r.head] }

func (r *ring) push(u underWay) {
	if r.count == len(r.slots) {
		grown := make([]underWay, max(64, 2*len(r.slots)))
		n := copy(grown, r.slots[r.head:])
		copy(grown[n:], r.slots[:r.head])
		r.slots, r.head = grown, 0
	}
	r.slots[(r.head+r.count)&(len(r.slots)-1)] = u
	r.count++
}

func (r *ring) pop() (u underWay) {
	u, r.slots[r.head] = r.slots[r.head], u
	r.head = (r.head + 1) & (len(r.slots) - 1)
	r.count--
	return u
}

// arrivals is a heap of packets, the earliest first.
type arrivals []underWay

func (h *arrivals) push(u underWay) { heap.Push((*byArrival)(h), u) }

func (h *arrivals) pop() underWay { return heap.Pop((*byArrival)(h)).(underWay) }

// byArrival is arrivals for container/heap.
type byArrival arrivals

func (h byArrival) Len() int           { return len(h) }
func (h byArrival) Less(i, j int) bool { return h[i].at < h[j].at }
func (h byArrival) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *byArrival) Push(x any)        { *h = append(*h, x.(underWay)) }
func (h *byArrival) Pop() any {
	old := *h
	last := old[len(old)-1]
	old[len(old)-1] = underWay{}
	*h = old[:len(old)-1]
	return last
}

// bufferSizes are the sizes that buffers come in: for the packets of an
// Ethernet, of one with jumbo frames, and for the longest there are.
var bufferSizes = [...]int{2 << 10, 10 << 10, 64 << 10}

// buffers are copies of packets, used again and again.
type buffers struct {
	free  [len(bufferSizes)][][]byte
	inUse int // bytes, as sized
}

// get returns a copy of the packet, or nil when maxUnderWay is reached.
func (b *buffers) get(packet []byte) []byte {
	class := 0
	for bufferSizes[class] < len(packet) {
		class++
	}
	if b.inUse+bufferSizes[class] > maxUnderWay {
		return nil
	}
	b.inUse += bufferSizes[class]
	free := &b.free[class]
	if len(*free) == 0 {
		*free = append(*free, make([]byte, bufferSizes[class]))
	}
	last := len(*free) - 1
	buf := (*free)[last]
	*free = (*free)[:last]
	return buf[:copy(buf, packet)]
}

func (b *buffers) put(packet []byte) {
	for class, size := range bufferSizes {
		if cap(packet) == size {
			b.inUse -= size
			b.free[class] = append(b.free[class], packet[:size])
		}
	}
}
