package main

import (
	"strconv"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// offset counts the bytes that copyPart has copied, and piece holds some of them.
var offset, piece = reg.R12, reg.R13

// copyPart copies n bytes, fewer than 32, between p and the slot, in pieces of
// powers of two, so that it touches no other byte. Only n decides on the way.
func (w *width) copyPart(name string, n, p reg.GPPhysical, out bool) {
	XORQ(offset, offset)
	from, to := Mem{Base: p, Index: offset, Scale: 1}, w.slot.Idx(offset, 1)
	if out {
		from, to = to, from
	}
	for _, size := range []int{16, 8, 4, 2, 1} {
		skip := name + "Below" + strconv.Itoa(size)
		TESTQ(U32(uint32(size)), n)
		JZ(LabelRef(skip))
		switch size {
		case 16:
			VMOVDQU(from, w.temp.AsX())
			VMOVDQU(w.temp.AsX(), to)
		case 8:
			MOVQ(from, piece)
			MOVQ(piece, to)
		case 4:
			MOVL(from, piece.As32())
			MOVL(piece.As32(), to)
		case 2:
			MOVW(from, piece.As16())
			MOVW(piece.As16(), to)
		case 1:
			MOVB(from, piece.As8())
			MOVB(piece.As8(), to)
		}
		ADDQ(U8(uint8(size)), offset)
		Label(skip)
	}
}
