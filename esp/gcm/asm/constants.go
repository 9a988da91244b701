package main

import (
	"github.com/mmcloughlin/avo/attr"
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
)

// A table is a constant in the read-only data. It is written when it is first
// asked for.
type table struct {
	name   string
	quads  []uint64
	placed bool
	mem    Mem
}

func (t *table) at() Mem {
	if !t.placed {
		t.placed = true
		t.mem = GLOBL(t.name, attr.RODATA|attr.NOPTR)
		for i, q := range t.quads {
			DATA(8*i, U64(q))
		}
	}
	return t.mem
}

// repeated returns the 128 bits of low and high, times times.
func repeated(times int, low, high uint64) []uint64 {
	var quads []uint64
	for range times {
		quads = append(quads, low, high)
	}
	return quads
}

// counting returns lanes of 128 bits, lane i with the number from + i*step.
func counting(lanes int, from, step uint64) []uint64 {
	var quads []uint64
	for i := range uint64(lanes) {
		quads = append(quads, from+i*step, 0)
	}
	return quads
}

// polynomial is that of GHASH, reflected, without its highest term
// (SP 800-38D section 6.3).
const polynomial = 0xc200000000000000

var (
	// reversal, the mask of VPSHUFB that reverses the bytes of each lane.
	reversal = &table{name: "reversal", quads: repeated(4, 0x08090a0b0c0d0e0f, 0x0001020304050607)}
	// poly is the factor of a reduction, in both halves of each lane.
	poly = &table{name: "poly", quads: repeated(4, polynomial, polynomial)}
	// carry is what a bit that leaves at the top comes back as.
	carry = &table{name: "carry", quads: repeated(1, 1, polynomial)}
	// one is block counter 1 of SP 800-38D section 7.1 as it stands in memory.
	one = &table{name: "one", quads: repeated(1, 0, 1<<56)}
	// first are the counters of the first blocks of text.
	first = &table{name: "first", quads: counting(4, 2, 1)}
	two   = &table{name: "two", quads: counting(2, 2, 0)}
	four  = &table{name: "four", quads: counting(4, 4, 0)}
	// window holds 32 bytes of ones, then 32 of zeros.
	window = &table{name: "window", quads: append(repeated(2, ^uint64(0), ^uint64(0)), repeated(2, 0, 0)...)}
)
