package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// A width is a set of instructions and its registers.
//
//	           VAES-512     VAES-256
//	states     Z0 … Z7      Y0 … Y7    a group of blocks under the cipher: 32, or 16
//	low        Z8           Y8         sums of GHASH
//	middle     Z9           Y9
//	high       Z10          Y10
//	temp       Z11          Y12
//	hash       X12          X15        GHASH of all blocks so far
//	counter    Z13          Y13        of the next blocks, little-endian
//	reverse    Z14          memory     bytes of a lane back to front
//	poly       Z15          memory     reduction
//	previous   Z16 … Z23    memory     the last group of ciphertext, for GHASH
//	waiting    Z26 … Z28    -          products that are not in the sums yet
//	data       Z24          Y11        blocks that GHASH takes in
//	block      X2           X11        the same, a single one
//	key        Z25          Y14        the round key in use, in all lanes
type width struct {
	name  string
	bytes int // of a vector

	states            []reg.VecPhysical
	low, middle, high reg.VecPhysical
	temp, data, key   reg.VecPhysical
	block             reg.Register
	hash, counter     reg.VecPhysical
	previous          []reg.VecPhysical  // nil: they are read again
	waiting           [3]reg.VecPhysical // products that are not in the sums yet, if not nil

	// Constants, in registers or in memory.
	reverse, poly       Op
	reverse128, poly128 Op
	start, step         Op
	tagMask             Mem // on the stack: the cipher of counter 1, which hides the tag
	slot                Mem // 32 bytes on the stack for parts of a vector
	prepare             func()
	move, xor           func(...Op)
	broadcast           func(from, to Op)
}

var (
	z = []reg.VecPhysical{reg.Z0, reg.Z1, reg.Z2, reg.Z3, reg.Z4, reg.Z5, reg.Z6, reg.Z7, reg.Z8, reg.Z9, reg.Z10, reg.Z11, reg.Z12, reg.Z13, reg.Z14, reg.Z15,
		reg.Z16, reg.Z17, reg.Z18, reg.Z19, reg.Z20, reg.Z21, reg.Z22, reg.Z23, reg.Z24, reg.Z25, reg.Z26, reg.Z27, reg.Z28}
	y = []reg.VecPhysical{reg.Y0, reg.Y1, reg.Y2, reg.Y3, reg.Y4, reg.Y5, reg.Y6, reg.Y7, reg.Y8, reg.Y9, reg.Y10, reg.Y11, reg.Y12, reg.Y13, reg.Y14, reg.Y15}
)

func wide512() *width {
	w := &width{
		name: "512", bytes: 64,
		states: z[0:8], low: z[8], middle: z[9], high: z[10], temp: z[11], hash: z[12], counter: z[13], reverse: z[14], poly: z[15],
		previous: z[16:24], data: z[24], block: z[2].AsX(), key: z[25], waiting: [3]reg.VecPhysical{z[26], z[27], z[28]}, reverse128: z[14].AsX(), poly128: z[15].AsX(),
		move: func(o ...Op) { VMOVDQU64(o...) }, xor: func(o ...Op) { VPXORQ(o...) },
		broadcast: func(from, to Op) { VBROADCASTI32X4(from, to) },
	}
	w.prepare = func() {
		w.start, w.step = first.at(), four.at()
		w.tagMask = AllocLocal(16)
		VMOVDQU64(reversal.at(), w.reverse)
		VMOVDQU64(poly.at(), w.poly)
	}
	return w
}

func wide256() *width {
	w := &width{
		name: "256", bytes: 32,
		states: y[0:8], low: y[8], middle: y[9], high: y[10], data: y[11], block: y[11].AsX(), temp: y[12], counter: y[13], key: y[14], hash: y[15],
		move: func(o ...Op) { VMOVDQU(o[0], o[1]) }, xor: func(o ...Op) { VPXOR(o[0], o[1], o[2]) },
		broadcast: func(from, to Op) { VBROADCASTI128(from, to) },
	}
	w.prepare = func() {
		w.start, w.step, w.reverse, w.poly = first.at(), two.at(), reversal.at(), poly.at()
		w.reverse128, w.poly128 = w.reverse, w.poly
		local := AllocLocal(48)
		w.slot, w.tagMask = local, local.Offset(32)
	}
	return w
}

// group is how many bytes the main loop takes at a time.
func (w *width) group() int { return len(w.states) * w.bytes }

// roundKey loads round key i for the instructions that follow in the stream.
func (w *width) roundKey(s *stream, i int) {
	s.add(func() { w.broadcast(at(keys, i*16), w.key) })
}

// wipe clears every register that has held a secret, and what is on the stack.
func (w *width) wipe() {
	for i := range 16 {
		VPXOR(y[i].AsX(), y[i].AsX(), y[i].AsX())
	}
	if w.bytes == 64 {
		for _, r := range z[16:] {
			VPXORQ(r, r, r)
		}
	} else {
		VMOVDQU(y[0], w.slot)
		XORQ(piece, piece)
	}
	VMOVDQU(y[0].AsX(), w.tagMask)
	VZEROUPPER()
}
