package tunnel

import (
	"crypto/rand"
	"encoding/binary"
	"maps"
	"sync/atomic"

	"fathom/esp"
)

// spiTable finds the inbound SA of an SPI. Readers take no lock: a change
// replaces the whole map, which happens once a handshake. Changes are the
// control goroutine's alone.
type spiTable struct {
	table atomic.Pointer[map[uint32]*inboundSA]
}

// get returns the SA that receives under spi, nil if there is none.
func (t *spiTable) get(spi uint32) *inboundSA {
	if m := t.table.Load(); m != nil {
		return (*m)[spi]
	}
	return nil
}

func (t *spiTable) add(sa *inboundSA) {
	t.change(func(m map[uint32]*inboundSA) { m[sa.spi] = sa })
}

func (t *spiTable) remove(pairs []*saPair) {
	if len(pairs) == 0 {
		return
	}
	t.change(func(m map[uint32]*inboundSA) {
		for _, p := range pairs {
			if m[p.inbound.spi] == p.inbound {
				delete(m, p.inbound.spi)
			}
		}
	})
}

func (t *spiTable) change(edit func(map[uint32]*inboundSA)) {
	next := make(map[uint32]*inboundSA)
	if m := t.table.Load(); m != nil {
		maps.Copy(next, *m)
	}
	edit(next)
	t.table.Store(&next)
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
