package pmtud

import (
	"math/rand/v2"
	"time"
)

// oddities are what makes a path carry a size only sometimes. The zero value makes
// none.
type oddities struct {
	// Bonded links, packet by packet: the path's own MTU or other, which one packet
	// in otherShare takes, or all but one in ownShare: by chance, or in turn.
	other, otherShare, ownShare int
	inTurn                      bool
	taken                       int // packets

	lossAbove int     // packets above this size are lost
	sizeLoss  float64 // this often
	crowded   int     // others fill a queue: a packet finds room for 300 bytes, and for less than this more; 0: none
	dataAbove int     // data above this size is dropped; probes look otherwise
	refuse    int     // the kernel refuses packets above this size; 0: none

	rate  float64 // of the bottleneck, bit/s; 0: none
	limit int     // bytes that its queue holds; a policer's burst if it has none
	// police drops what exceeds the rate and delays nothing.
	police  bool
	whole   bool    // a train of data is dropped whole if it has no room, as a superpacket is
	noRoom  bool    // the train that leaves now has none
	backlog float64 // bytes, at the time
	at      time.Time
}

// drawOddities returns one of them at random, of a path that carries mtu bytes.
func drawOddities(rng *rand.Rand, least, mtu int) (o oddities) {
	size := least + rng.IntN(max(1, mtu-least))
	switch rng.IntN(7) {
	case 0:
		o.other, o.otherShare = size, 1+rng.IntN(4)
	case 1:
		o.lossAbove, o.sizeLoss = size, rng.Float64()
	case 2:
		o.crowded = 1 + rng.IntN(mtu)
	case 3:
		o.dataAbove = size
	case 4:
		o.refuse = size
	case 5, 6:
		o.rate, o.limit = 1e6*(1+9*rng.Float64()), 2000+rng.IntN(50_000)
		o.police, o.whole = rng.IntN(2) == 0, rng.IntN(2) == 0
	}
	return o
}

func (o *oddities) link(mtu int, rng *rand.Rand) int {
	all := max(o.otherShare, o.ownShare)
	if all == 0 {
		return mtu
	}
	turn := o.taken % all
	o.taken++
	if !o.inTurn {
		turn = rng.IntN(all)
	}
	if (turn == 0) == (o.otherShare > 0) {
		return o.other
	}
	return mtu
}

func (o *oddities) refuses(size int) bool { return o.refuse > 0 && size > o.refuse }

func (o *oddities) drops(size int, data bool, rng *rand.Rand) bool {
	return data && o.dataAbove > 0 && size > o.dataAbove ||
		o.crowded > 0 && size > 300+rng.IntN(o.crowded) ||
		o.sizeLoss > 0 && size > o.lossAbove && rng.Float64() < o.sizeLoss
}

// room reports whether the bottleneck's queue has room for some bytes.
func (o *oddities) room(bytes int, now time.Time) bool {
	o.backlog = max(0, o.backlog-now.Sub(o.at).Seconds()*o.rate/8)
	o.at = now
	return o.backlog+float64(bytes) <= float64(o.limit)
}

// queue puts a packet into the bottleneck's queue, if it has room.
func (o *oddities) queue(size int, now time.Time) (wait time.Duration, ok bool) {
	if o.rate == 0 {
		return 0, true
	}
	if o.noRoom || !o.room(size, now) {
		return 0, false
	}
	o.backlog += float64(size)
	if o.police {
		return 0, true
	}
	return time.Duration(o.backlog * 8 / o.rate * float64(time.Second)), true
}
