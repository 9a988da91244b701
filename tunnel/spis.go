package tunnel

import (
	"crypto/rand"
	"encoding/binary"
	"sync/atomic"

	"fathom/esp"
)

// spiSlots is how many slots an spiTable has: enough for those of thousands of
// peers to be nearly alone in them.
const spiSlots = 4096

// spiTable finds the inbound SA of an SPI. Readers take no lock. The last bits
// of the SPI name its slot. This end draws the SPIs at random, so no peer can fill
// one slot. A change replaces the list of one slot, and so the cost of a handshake
// does not grow with the number of peers. Changes are the control goroutine's alone.
type spiTable struct {
	slots [spiSlots]atomic.Pointer[spiList]
}

// spiList is the SAs of one slot. It is immutable.
type spiList []*inboundSA

func (t *spiTable) slot(spi uint32) *atomic.Pointer[spiList] { return &t.slots[spi%spiSlots] }

// get returns the SA that receives under spi, nil if there is none.
func (t *spiTable) get(spi uint32) *inboundSA {
	list := t.slot(spi).Load()
	if list == nil {
		return nil
	}
	for _, sa := range *list {
		if sa.spi == spi {
			return sa
		}
	}
	return nil
}

// add lets an SA receive, in the place of another with its SPI.
func (t *spiTable) add(sa *inboundSA) {
	t.change(sa.spi, sa, func(other *inboundSA) bool { return other.spi != sa.spi })
}

// remove takes the inbound SAs of pairs out, as far as they are in.
func (t *spiTable) remove(pairs []*saPair) {
	for _, p := range pairs {
		t.change(p.inbound.spi, nil, func(other *inboundSA) bool { return other != p.inbound })
	}
}

// change replaces the list of a slot: it keeps the SAs that keep says, and adds one
// more unless that is nil.
func (t *spiTable) change(spi uint32, more *inboundSA, keep func(*inboundSA) bool) {
	var next spiList
	slot := t.slot(spi)
	if list := slot.Load(); list != nil {
		for _, sa := range *list {
			if keep(sa) {
				next = append(next, sa)
			}
		}
	}
	if more != nil {
		next = append(next, more)
	}
	if next == nil {
		slot.Store(nil)
		return
	}
	slot.Store(&next)
}

// unused draws a random SPI under which nothing receives.
func (t *spiTable) unused() uint32 {
	for {
		var b [4]byte
		rand.Read(b[:])
		if spi := binary.BigEndian.Uint32(b[:]); spi >= esp.MinSPI && t.get(spi) == nil {
			return spi
		}
	}
}
