package main

import (
	"strconv"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// The last vector of a text may be incomplete, and the bytes behind it are not ours.
// VAES-512 has masks: what they exclude is neither read nor written. With VAES-256
// an incomplete vector goes by way of a slot on the stack.

// Registers of VAES-256 while the rest is worked on: where the last vector is read
// and written, and how many bytes of it are text.
var lastSrc, lastDst, lastLength = reg.RBX, reg.RAX, reg.RDX

// prepareLast readies the last vector.
func (w *width) prepareLast(name string) {
	if w.bytes == 64 {
		LEAQ(at(left, -1), tmp)
		ANDQ(U8(63), tmp)
		INCQ(tmp)
		w.maskOf(tmp)
		return
	}
	MOVQ(left, lastLength)
	ANDQ(U8(31), lastLength)
	JZ(LabelRef(name + "Whole"))
	MOVQ(left, lastSrc)
	SUBQ(lastLength, lastSrc)
	ADDQ(src, lastSrc)
	VPXOR(w.data, w.data, w.data)
	VMOVDQU(w.data, w.slot)
	w.copyPart(name, lastLength, lastSrc, false)
	LEAQ(w.slot, lastSrc)
	MOVQ(lastSrc, lastDst)
	JMP(LabelRef(name + "Ready"))
	Label(name + "Whole")
	LEAQ(Mem{Base: src, Index: left, Scale: 1, Disp: -32}, lastSrc)
	LEAQ(Mem{Base: dst, Index: left, Scale: 1, Disp: -32}, lastDst)
	MOVQ(U32(32), lastLength)
	Label(name + "Ready")
}

// loadLast loads the last vector, vector i of the rest, with zeros behind the text.
func (w *width) loadLast(i int, to reg.VecPhysical) {
	if w.bytes == 64 {
		VMOVDQU8_Z(at(src, i*w.bytes), reg.K1, to)
	} else {
		VMOVDQU(at(lastSrc, 0), to)
	}
}

// storeLast writes the last state, vector i.
func (w *width) storeLast(i int) {
	if w.bytes == 64 {
		VMOVDQU8(w.states[i], reg.K1, at(dst, i*w.bytes))
	} else {
		VMOVDQU(w.states[i], at(lastDst, 0))
	}
}

// trimLast makes what is behind the text in the last state zero.
func (w *width) trimLast(i int) {
	b := w.states[i]
	if w.bytes == 64 {
		VMOVDQU8_Z(b, reg.K1, b)
		return
	}
	LEAQ(window.at(), offset)
	SUBQ(lastLength, offset)
	VPAND(at(offset, 32), b, b)
}

// endRest takes what is in the slot to its place.
func (w *width) endRest() {
	Label("restEnd")
	if w.bytes == 32 {
		CMPQ(lastLength, U8(32))
		JE(LabelRef("lengths"))
		SUBQ(lastLength, left)
		ADDQ(left, dst)
		w.copyPart("end", lastLength, dst, true)
	}
	Label("lengths")
}

// maskOf sets K1 to the lowest n bits, at most 64.
func (w *width) maskOf(n reg.GPPhysical) {
	MOVQ(I32(-1), offset)
	BZHIQ(n, offset, offset)
	KMOVQ(offset, reg.K1)
}

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
