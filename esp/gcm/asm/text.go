package main

import (
	"math/bits"
	"strconv"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// The text of a packet is taken in groups of eight vectors, and then the rest, for
// whose number of vectors there is code each. The rest is never empty, unless the
// text is: a last whole group is part of it. So its products and that of the block
// of lengths are reduced together.
//
// GHASH runs beside the cipher: of the same blocks when opening, of the group
// before when sealing.

// sealText seals the text. The products of the rest are in the sums after it.
func (w *width) sealText() {
	all := len(w.states)
	w.split("rest")
	emit(w.cipher(all))
	w.apply(all)
	w.keep()
	w.next("group", "behind")

	Label("group")
	emit(w.cipher(all), w.hashGroup(false))
	w.apply(all)
	w.keep()
	w.next("group", "")

	Label("behind")
	w.rest("behind", false, func(n int) {
		emit(w.cipher(n), w.hashGroup(false))
		w.applyRest(n, false)
		emit(w.hashStates(n))
	})
	Label("rest")
	w.rest("rest", false, func(n int) {
		emit(w.cipher(n))
		w.applyRest(n, false)
		emit(w.hashStates(n))
	})
	w.endRest()
}

// openText opens the text, likewise. GHASH reads the ciphertext before the plaintext
// is written.
func (w *width) openText() {
	all := len(w.states)
	w.split("rest")
	Label("group")
	emit(w.cipher(all), w.hashGroup(true))
	w.apply(all)
	w.next("group", "")
	Label("rest")
	w.rest("rest", true, func(n int) {
		emit(w.cipher(n), w.hashText(n))
		w.applyRest(n, true)
	})
	w.endRest()
}

// split counts the groups before the rest, and jumps if there are none. It leaves
// the length of the rest, and where the power of its first block stands.
func (w *width) split(none string) {
	w.clearSums()
	TESTQ(left, left)
	JZ(LabelRef("lengths"))
	DECQ(left)
	MOVQ(left, groups)
	ANDQ(U32(uint32(w.group()-1)), left)
	INCQ(left)
	LEAQ(at(left, 15), power)
	ANDQ(I8(-16), power)
	NEGQ(power)
	LEAQ(Mem{Base: keys, Index: power, Scale: 1, Disp: keyPower}, power)
	SHRQ(U8(uint8(bits.TrailingZeros(uint(w.group())))), groups)
	JZ(LabelRef(none))
}

// next goes on to the next group, or by way of none if there is none.
func (w *width) next(group, none string) {
	ADDQ(U32(uint32(w.group())), src)
	ADDQ(U32(uint32(w.group())), dst)
	DECQ(groups)
	if none != "" {
		JZ(LabelRef(none))
	} else {
		JNZ(LabelRef(group))
	}
}

// cipher enciphers the next counter blocks in the first n states, but for the last
// round, whose key it loads.
func (w *width) cipher(n int) (s stream) {
	w.roundKey(&s, 0)
	for _, b := range w.states[:n] {
		s.add(func() { VPSHUFB(w.reverse, w.counter, b) })
		s.add(func() { VPADDD(w.step, w.counter, w.counter) })
		s.add(func() { w.xor(w.key, b, b) })
	}
	for i := 1; i < rounds; i++ {
		w.roundKey(&s, i)
		for _, b := range w.states[:n] {
			s.add(func() { VAESENC(w.key, b, b) })
		}
	}
	w.roundKey(&s, rounds)
	return s
}

// apply does the last round of the first n states, with the text at src added to
// its key, and leaves the result there and at dst.
func (w *width) apply(n int) {
	for i, b := range w.states[:n] {
		w.xor(at(src, i*w.bytes), w.key, w.temp)
		VAESENCLAST(w.temp, b, b)
	}
	for i, b := range w.states[:n] {
		w.move(b, at(dst, i*w.bytes))
	}
}

// keep keeps the group that was just sealed for GHASH.
func (w *width) keep() {
	for i, p := range w.previous {
		VPSHUFB(w.reverse, w.states[i], p)
	}
}

// hashGroup takes a group of ciphertext into the hash: the one at src, or the one
// before dst.
func (w *width) hashGroup(atSource bool) (s stream) {
	for i := range w.states {
		data := w.data
		switch {
		case atSource:
			s.add(func() { w.move(at(src, i*w.bytes), data) })
			s.add(func() { VPSHUFB(w.reverse, data, data) })
		case w.previous != nil:
			data = w.previous[i]
		default:
			s.add(func() { w.move(at(dst, i*w.bytes-w.group()), data) })
			s.add(func() { VPSHUFB(w.reverse, data, data) })
		}
		if i == 0 {
			s.add(func() { w.xor(w.hash, data, data) })
		}
		w.multiply(&s, data, at(keys, keyPower-w.group()+16+i*w.bytes), i, len(w.states))
	}
	w.reduce(&s)
	return s
}

// hashStates puts the products of the first n states, the rest, into the sums.
func (w *width) hashStates(n int) (s stream) {
	for i, b := range w.states[:n] {
		w.hashVector(&s, b, i, n)
	}
	return s
}

// hashText is hashStates for ciphertext that is still at src.
func (w *width) hashText(n int) (s stream) {
	for i := range n {
		s.add(func() {
			if i < n-1 {
				w.move(at(src, i*w.bytes), w.data)
			} else {
				w.loadLast(i, w.data)
			}
		})
		w.hashVector(&s, w.data, i, n)
	}
	return s
}

// hashVector adds the products of vector i of the n of the rest.
func (w *width) hashVector(s *stream, vector reg.VecPhysical, i, n int) {
	s.add(func() { VPSHUFB(w.reverse, vector, w.data) })
	if i == 0 { // what was hashed before is part of the first block
		s.add(func() { w.xor(w.hash, w.data, w.data) })
		s.add(func() { VPXOR(w.hash.AsX(), w.hash.AsX(), w.hash.AsX()) })
	}
	w.multiply(s, w.data, at(power, i*w.bytes), i, n)
}

// rest writes code for a rest of each number of vectors, and the way there.
func (w *width) rest(name string, opening bool, code func(vectors int)) {
	w.prepareLast(name)
	var among func(from, to int)
	among = func(from, to int) {
		if from == to {
			code(from)
			JMP(LabelRef("restEnd"))
			return
		}
		middle := (from + to) / 2
		above := name + "Above" + strconv.Itoa(middle)
		CMPQ(left, U32(uint32(middle*w.bytes)))
		JA(LabelRef(above))
		among(from, middle)
		Label(above)
		among(middle+1, to)
	}
	among(1, len(w.states))
}

// applyRest is apply for the rest, of n vectors. When it seals, the last state holds
// zeros behind the text afterwards.
func (w *width) applyRest(n int, opening bool) {
	last := n - 1
	for i, b := range w.states[:last] {
		w.xor(at(src, i*w.bytes), w.key, w.temp)
		VAESENCLAST(w.temp, b, b)
	}
	w.loadLast(last, w.temp)
	w.xor(w.temp, w.key, w.temp)
	VAESENCLAST(w.temp, w.states[last], w.states[last])
	for i, b := range w.states[:last] {
		w.move(b, at(dst, i*w.bytes))
	}
	w.storeLast(last)
	if !opening {
		w.trimLast(last)
	}
}
