package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// groupSize is how many bytes the main loop takes at a time: 16 blocks.
const groupSize = 256

// A width is a set of instructions and its registers.
//
//	          VAES-512            VAES-256
//	state     Z0 … Z3             Y0 … Y7           16 blocks under the cipher
//	previous  Z4 … Z7             memory            the 16 blocks before, for GHASH
//	low       Z8                  Y8                sums of GHASH
//	middle    Z9                  Y9
//	high      Z10                 Y10
//	counter   Z11                 Y13               of the next blocks, little-endian
//	hash      X12                 X15               GHASH of all blocks so far
//	reverse   Z13                 memory            bytes of a lane back to front
//	poly      Z14                 memory            reduction
//	temp      Z15                 Y12
//	data      Z4                  Y11               blocks that GHASH takes in
//	key i     Z17 … Z31           Y14, from memory  round keys in all lanes
type width struct {
	name  string
	bytes int // of a vector

	states              []reg.VecPhysical
	low, middle, high   reg.VecPhysical
	data, temp          reg.VecPhysical
	previous            []reg.VecPhysical // nil: they are read again
	counter, hash, last reg.VecPhysical   // last: the round key in use, if they are in memory

	// Constants, in registers or in memory.
	reverse, poly, step Op
	reverse128, poly128 Op
	start               Op
	tagMask             Op
	slot                Mem   // of 32 bytes on the stack, for parts of a vector
	tail                []int // vectors taken together at the end of a packet
	prepare             func()
	move, xor           func(...Op)
}

var (
	z = []reg.VecPhysical{reg.Z0, reg.Z1, reg.Z2, reg.Z3, reg.Z4, reg.Z5, reg.Z6, reg.Z7, reg.Z8, reg.Z9, reg.Z10, reg.Z11, reg.Z12, reg.Z13, reg.Z14, reg.Z15,
		reg.Z16, reg.Z17, reg.Z18, reg.Z19, reg.Z20, reg.Z21, reg.Z22, reg.Z23, reg.Z24, reg.Z25, reg.Z26, reg.Z27, reg.Z28, reg.Z29, reg.Z30, reg.Z31}
	y = []reg.VecPhysical{reg.Y0, reg.Y1, reg.Y2, reg.Y3, reg.Y4, reg.Y5, reg.Y6, reg.Y7, reg.Y8, reg.Y9, reg.Y10, reg.Y11, reg.Y12, reg.Y13, reg.Y14, reg.Y15}
)

func wide512() *width {
	w := &width{
		name: "512", bytes: 64,
		states: z[0:4], previous: z[4:8], low: z[8], middle: z[9], high: z[10], counter: z[11], hash: z[12], reverse: z[13], poly: z[14],
		data: z[4], temp: z[15], reverse128: z[13].AsX(), poly128: z[14].AsX(), tail: []int{2, 1},
		move: func(o ...Op) { VMOVDQU64(o...) }, xor: func(o ...Op) { VPXORQ(o...) },
	}
	w.prepare = func() {
		w.start, w.step = first.at(), four.at()
		w.tagMask = AllocLocal(16)
		VMOVDQU64(reversal.at(), w.reverse)
		VMOVDQU64(poly.at(), w.poly)
		for i := range rounds + 1 {
			VBROADCASTI32X4(at(keys, i*roundStride), z[17+i])
		}
	}
	return w
}

func wide256() *width {
	w := &width{
		name: "256", bytes: 32,
		states: y[0:8], low: y[8], middle: y[9], high: y[10], data: y[11], temp: y[12], counter: y[13], last: y[14], hash: y[15],
		tail: []int{4, 2, 1},
		move: func(o ...Op) { VMOVDQU(o[0], o[1]) }, xor: func(o ...Op) { VPXOR(o[0], o[1], o[2]) },
	}
	w.prepare = func() {
		w.start, w.step, w.reverse, w.poly = first.at(), two.at(), reversal.at(), poly.at()
		w.reverse128, w.poly128 = w.reverse, w.poly
		local := AllocLocal(48)
		w.slot, w.tagMask = local, local.Offset(32)
	}
	return w
}

// roundKey returns round key i for the instructions that follow.
func (w *width) roundKey(s *stream, i int) reg.VecPhysical {
	if w.last == nil {
		return z[17+i]
	}
	s.add(func() { w.move(at(keys, i*roundStride), w.last) })
	return w.last
}

// wipe clears every register that has held a secret, and what is on the stack.
func (w *width) wipe() {
	for i := range 16 {
		VPXOR(y[i].AsX(), y[i].AsX(), y[i].AsX())
	}
	if w.bytes == 64 {
		for i := 16; i < 32; i++ {
			VPXORQ(z[i], z[i], z[i])
		}
	} else {
		VMOVDQU(y[0], w.slot)
		XORQ(piece, piece)
	}
	VMOVDQU(y[0].AsX(), w.tagMask)
	VZEROUPPER()
}
