package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// GHASH works on blocks with their bytes reversed. The powers of H are kept
// multiplied by x, which makes up for the bit that a carry-less product of
// reflected numbers lacks. A product of 256 bits stands in three sums:
//
//	low + middle·x⁶⁴ + high·x¹²⁸
//
// The products of several blocks are added before they are reduced once.

// multiply adds the product of the blocks in data, vector i of n, and the powers at
// p to the sums, which the first one begins. By Karatsuba's way the product of the
// folded factors stands in for the two in the middle. Where registers allow it,
// products wait there for those of the next vector.
func (w *width) multiply(s *stream, data Op, p Mem, i, n int) {
	add := func(halves uint64, factor Op, power Mem, sum, waiting reg.VecPhysical) {
		switch {
		case i == 0:
			s.add(func() { VPCLMULQDQ(U8(halves), power, factor, sum) })
		case waiting == nil || i == n-1 && i%2 == 1:
			s.add(func() { VPCLMULQDQ(U8(halves), power, factor, w.temp) })
			s.add(func() { w.xor(w.temp, sum, sum) })
		case i%2 == 1:
			s.add(func() { VPCLMULQDQ(U8(halves), power, factor, waiting) })
		default:
			s.add(func() { VPCLMULQDQ(U8(halves), power, factor, w.temp) })
			s.add(func() { VPTERNLOGQ(U8(0x96), w.temp, waiting, sum) })
		}
	}
	s.add(func() { VPSHUFD(U8(0x4e), data, w.temp) })
	s.add(func() { w.xor(data, w.temp, w.temp) })
	add(0x00, w.temp, p.Offset(foldedPower-keyPower), w.middle, w.waiting[1])
	add(0x00, data, p, w.low, w.waiting[0])
	add(0x11, data, p, w.high, w.waiting[2])
}

// reduce leaves the sums, reduced and those of all lanes added, in w.hash. Twice
// it takes 64 bits away at the low end, by adding the multiple of the polynomial
// that clears them.
func (w *width) reduce(s *stream) {
	if w.bytes == 64 {
		s.add(func() { VPTERNLOGQ(U8(0x96), w.low, w.high, w.middle) })
	} else {
		s.add(func() { w.xor(w.low, w.middle, w.middle) })
		s.add(func() { w.xor(w.high, w.middle, w.middle) })
	}
	w.clearLow(s, w.low, w.middle)
	w.clearLow(s, w.middle, w.high)
	if w.bytes == 64 {
		s.add(func() { VEXTRACTI64X4(U8(1), w.high, w.temp.AsY()) })
		s.add(func() { VPXORQ(w.temp.AsY(), w.high.AsY(), w.high.AsY()) })
	}
	s.add(func() { VEXTRACTI128(U8(1), w.high.AsY(), w.temp.AsX()) })
	s.add(func() { VPXOR(w.temp.AsX(), w.high.AsX(), w.hash.AsX()) })
}

func (w *width) clearLow(s *stream, from, to reg.VecPhysical) {
	s.add(func() { VPCLMULQDQ(U8(0x00), w.poly, from, w.temp) })
	s.add(func() { VPSHUFD(U8(0x4e), from, from) })
	if w.bytes == 64 {
		s.add(func() { VPTERNLOGQ(U8(0x96), w.temp, from, to) })
		return
	}
	s.add(func() { w.xor(w.temp, to, to) })
	s.add(func() { w.xor(from, to, to) })
}

// multiplyBlock adds the product of the single block and H.
func (w *width) multiplyBlock(s *stream) {
	block, temp := w.block, w.temp.AsX()
	s.add(func() { VPSHUFD(U8(0x4e), block, temp) })
	s.add(func() { VPXOR(block, temp, temp) })
	s.add(func() { VPCLMULQDQ(U8(0x00), at(keys, foldedPower), temp, temp) })
	s.add(func() { w.xor(w.temp, w.middle, w.middle) })
	s.add(func() { VPCLMULQDQ(U8(0x00), at(keys, keyPower), block, temp) })
	s.add(func() { w.xor(w.temp, w.low, w.low) })
	s.add(func() { VPCLMULQDQ(U8(0x11), at(keys, keyPower), block, temp) })
	s.add(func() { w.xor(w.temp, w.high, w.high) })
}

// hashBlock multiplies the single block, to which the hash has been added, by H
// and leaves the reduced product in the hash: one block, all by itself.
func (w *width) hashBlock(s *stream) {
	block, hash, temp := w.block, w.hash.AsX(), w.temp.AsX()
	low, middle, h := w.low.AsX(), w.middle.AsX(), at(keys, keyPower)
	s.add(func() { VPCLMULQDQ(U8(0x00), h, block, low) })
	s.add(func() { VPCLMULQDQ(U8(0x01), h, block, middle) })
	s.add(func() { VPCLMULQDQ(U8(0x10), h, block, temp) })
	s.add(func() { VPXOR(temp, middle, middle) })
	s.add(func() { VPCLMULQDQ(U8(0x11), h, block, hash) })
	for _, step := range [][2]reg.Register{{low, middle}, {middle, hash}} {
		from, to := step[0], step[1]
		s.add(func() { VPCLMULQDQ(U8(0x00), w.poly128, from, temp) })
		s.add(func() { VPSHUFD(U8(0x4e), from, from) })
		s.add(func() { VPXOR(temp, to, to) })
		s.add(func() { VPXOR(from, to, to) })
	}
}

// clearSums makes the sums zero.
func (w *width) clearSums() {
	for _, r := range []reg.VecPhysical{w.low, w.middle, w.high} {
		VPXOR(r.AsX(), r.AsX(), r.AsX())
	}
}
