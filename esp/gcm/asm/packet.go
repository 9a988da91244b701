package main

import (
	"strconv"

	"github.com/mmcloughlin/avo/attr"
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// function writes the function that seals or opens the packets of jobs one after
// another. Nothing of a packet depends on the one before, so that the processor
// begins the next one while the sums of the last are still reduced.
func (w *width) function(verb string, opening bool) {
	TEXT(verb+w.name, attr.NOSPLIT, "func(k *byte, jobs *byte, count int)")
	Load(Param("k"), keys)
	Load(Param("jobs"), job)
	Load(Param("count"), count)
	w.prepare()

	Label("packet")
	MOVQ(at(job, jobDst), dst)
	MOVQ(at(job, jobSrc), src)
	MOVQ(at(job, jobLength), left)
	w.nonce()
	w.additional()
	w.maskTag()

	MOVQ(left, groups)
	SHRQ(U8(8), groups)
	JZ(LabelRef("tail"))
	if opening {
		w.openGroups()
	} else {
		w.sealGroups()
	}

	Label("tail")
	w.rest(opening)
	w.finish(opening)

	ADDQ(U8(jobSize), job)
	DECQ(count)
	JNZ(LabelRef("packet"))
	w.wipe()
	RET()
}

// nonce sets the counters of the first blocks, and tagMask to the block of counter
// 1 (SP 800-38D section 7.1).
func (w *width) nonce() {
	a, b, counter := w.states[0].AsX(), w.states[1].AsX(), w.counter.AsX()
	VMOVQ(at(job, jobIV), a)
	VMOVD(at(job, jobSalt), b)
	VPSLLDQ(U8(4), a, a)
	VPOR(b, a, a)
	VPSHUFB(w.reverse128, a, counter)
	if w.bytes == 64 {
		VSHUFI32X4(U8(0), w.counter, w.counter, w.counter)
	} else {
		VINSERTI128(U8(1), counter, w.counter, w.counter)
	}
	VPADDD(w.start, w.counter, w.counter)
	VPOR(one.at(), a, a)
}

// maskTag enciphers the block of counter 1, which nonce has left in the first state.
func (w *width) maskTag() {
	var s stream
	a := w.states[0].AsX()
	w.cipherBlock(&s, a)
	emit(s)
	VMOVDQU(a, w.tagMask)
}

// cipherBlock enciphers a single block.
func (w *width) cipherBlock(s *stream, a reg.Register) {
	for i := range rounds + 1 {
		var key Op = at(keys, i*roundStride)
		if w.last == nil {
			key = z[17+i].AsX()
		}
		switch i {
		case 0:
			s.add(func() {
				if w.last == nil {
					VPXORQ(key, a, a)
				} else {
					VPXOR(key, a, a)
				}
			})
		case rounds:
			s.add(func() { VAESENCLAST(key, a, a) })
		default:
			s.add(func() { VAESENC(key, a, a) })
		}
	}
}

// additional takes the additional data into the hash, which begins as zero.
func (w *width) additional() {
	data, hash := w.data.AsX(), w.hash.AsX()
	VPXOR(hash, hash, hash)
	MOVQ(at(job, jobAAD), tmp)
	MOVQ(at(job, jobAADLength), tmp2)

	Label("additional")
	CMPQ(tmp2, U8(16))
	JB(LabelRef("additionalRest"))
	VMOVDQU(at(tmp, 0), data)
	Label("additionalBlock")
	var s stream
	s.add(func() { VPSHUFB(w.reverse128, data, data) })
	s.add(func() { VPXOR(hash, data, data) })
	w.hashBlock(&s)
	emit(s)
	ADDQ(U8(16), tmp)
	SUBQ(U8(16), tmp2)
	JMP(LabelRef("additional"))

	Label("additionalRest")
	TESTQ(tmp2, tmp2)
	JZ(LabelRef("additionalEnd"))
	if w.bytes == 64 {
		w.maskOf(tmp2)
		VMOVDQU8_Z(at(tmp, 0), reg.K1, data)
	} else {
		VPXOR(data, data, data)
		VMOVDQU(data, w.slot)
		w.copyPart("additional", tmp2, tmp, false)
		VMOVDQU(w.slot, data)
	}
	MOVQ(U32(16), tmp2)
	JMP(LabelRef("additionalBlock"))
	Label("additionalEnd")
}

// maskOf sets K1 to the lowest n bits, n below 64.
func (w *width) maskOf(n reg.GPPhysical) {
	MOVQ(I32(-1), reg.R12)
	BZHIQ(n, reg.R12, reg.R12)
	KMOVQ(reg.R12, reg.K1)
}

// counters puts the next counter blocks into the first n states.
func (w *width) counters(s *stream, n int) {
	key := w.roundKey(s, 0)
	for _, b := range w.states[:n] {
		s.add(func() { VPSHUFB(w.reverse, w.counter, b) })
		s.add(func() { VPADDD(w.step, w.counter, w.counter) })
		s.add(func() { w.xor(key, b, b) })
	}
}

// cipher enciphers the first n states, but for the last round.
func (w *width) cipher(s *stream, n int) {
	w.counters(s, n)
	for i := 1; i < rounds; i++ {
		key := w.roundKey(s, i)
		for _, b := range w.states[:n] {
			s.add(func() { VAESENC(key, b, b) })
		}
	}
}

// apply does the last round of the first n states, with the text at src added to
// its key, and leaves the result there and at dst.
func (w *width) apply(n int) {
	var s stream
	key := w.roundKey(&s, rounds)
	for i, b := range w.states[:n] {
		s.add(func() { w.xor(at(src, i*w.bytes), key, w.temp) })
		s.add(func() { VAESENCLAST(w.temp, b, b) })
	}
	for i, b := range w.states[:n] {
		s.add(func() { w.move(b, at(dst, i*w.bytes)) })
	}
	emit(s)
}

// hashGroup takes a group of ciphertext into the hash: the previous one if base is
// nil, else the one at base.
func (w *width) hashGroup(s *stream, base reg.Register, offset int) {
	for i := range groupSize / w.bytes {
		data := w.data
		if base == nil {
			data = w.previous[i]
		} else {
			s.add(func() { w.move(at(base, offset+i*w.bytes), data) })
			s.add(func() { VPSHUFB(w.reverse, data, data) })
		}
		if i == 0 {
			s.add(func() { w.xor(w.hash, data, data) })
		}
		w.multiply(s, data, at(keys, keyPower-16*15+i*w.bytes), i == 0)
	}
	w.reduce(s)
}

// hashSealed takes the group that was sealed last into the hash.
func (w *width) hashSealed(s *stream) {
	if w.previous == nil {
		w.hashGroup(s, dst, -groupSize)
	} else {
		w.hashGroup(s, nil, 0)
	}
}

// keep keeps the group that was just sealed for GHASH.
func (w *width) keep() {
	for i, p := range w.previous {
		VPSHUFB(w.reverse, w.states[i], p)
	}
}

func advance(n int) {
	for _, p := range []reg.GPPhysical{src, dst} {
		if n < 128 {
			ADDQ(U8(uint8(n)), p)
		} else {
			ADDQ(U32(uint32(n)), p)
		}
	}
}

// sealGroups seals the whole groups. GHASH is one group behind.
func (w *width) sealGroups() {
	all := len(w.states)
	var s stream
	w.cipher(&s, all)
	emit(s)
	w.apply(all)
	w.keep()
	advance(groupSize)
	DECQ(groups)
	JZ(LabelRef("hashLast"))

	Label("group")
	var c, h stream
	w.cipher(&c, all)
	w.hashSealed(&h)
	emit(c, h)
	w.apply(all)
	w.keep()
	advance(groupSize)
	DECQ(groups)
	JNZ(LabelRef("group"))

	Label("hashLast")
	var last stream
	w.hashSealed(&last)
	emit(last)
}

// openGroups opens the whole groups. GHASH reads a group before its plaintext is
// written.
func (w *width) openGroups() {
	Label("group")
	var c, h stream
	w.cipher(&c, len(w.states))
	w.hashGroup(&h, src, 0)
	emit(c, h)
	w.apply(len(w.states))
	advance(groupSize)
	DECQ(groups)
	JNZ(LabelRef("group"))
}

// rest seals or opens what is left, less than a group. The powers of H are such
// that the products of all of it, and that of the block of lengths, are added
// and reduced together.
func (w *width) rest(opening bool) {
	ANDQ(U32(groupSize-1), left)
	LEAQ(at(left, 15), power)
	ANDQ(I8(-16), power)
	NEGQ(power)
	LEAQ(Mem{Base: keys, Index: power, Scale: 1, Disp: keyPower}, power)
	w.clearSums()
	for _, n := range w.tail {
		skip := "below" + strconv.Itoa(n)
		size := n * w.bytes
		if size < 128 {
			CMPQ(left, U8(uint8(size)))
		} else {
			CMPQ(left, U32(uint32(size)))
		}
		JB(LabelRef(skip))
		var s stream
		if opening {
			w.hashText(&s, n)
		}
		w.cipher(&s, n)
		emit(s)
		w.apply(n)
		if !opening {
			var h stream
			w.hashStates(&h, n)
			emit(h)
		}
		advance(size)
		ADDQ(I32(int32(size)), power)
		SUBQ(I32(int32(size)), left)
		Label(skip)
	}
	TESTQ(left, left)
	JZ(LabelRef("lengths"))
	if w.bytes == 64 {
		w.maskedVector(opening)
	} else {
		w.slotVector(opening)
	}
	Label("lengths")
}

// hashText adds the products of n vectors at src to the sums.
func (w *width) hashText(s *stream, n int) {
	for i := range n {
		s.add(func() { w.move(at(src, i*w.bytes), w.data) })
		w.hashVector(s, w.data, i)
	}
}

// hashStates adds the products of the first n states to the sums.
func (w *width) hashStates(s *stream, n int) {
	for i, b := range w.states[:n] {
		w.hashVector(s, b, i)
	}
}

// hashVector adds the products of vector i of several, which stands in from.
func (w *width) hashVector(s *stream, from reg.VecPhysical, i int) {
	s.add(func() { VPSHUFB(w.reverse, from, w.data) })
	if i == 0 { // what was hashed before is part of the first block
		s.add(func() { w.xor(w.hash, w.data, w.data) })
		s.add(func() { VPXOR(w.hash.AsX(), w.hash.AsX(), w.hash.AsX()) })
	}
	w.multiply(s, w.data, at(power, i*w.bytes), false)
}

// maskedVector takes the last, incomplete vector. Bytes behind the mask are neither
// read nor written.
func (w *width) maskedVector(opening bool) {
	b := w.states[0]
	w.maskOf(left)
	VMOVDQU8_Z(at(src, 0), reg.K1, w.states[1])
	var s stream
	if opening {
		w.hashVector(&s, w.states[1], 0)
	}
	w.cipher(&s, 1)
	emit(s)
	VPXORQ(z[17+rounds], w.states[1], w.states[1])
	VAESENCLAST(w.states[1], b, b)
	VMOVDQU8(b, reg.K1, at(dst, 0))
	if !opening {
		VMOVDQU8_Z(b, reg.K1, b)
		var h stream
		w.hashVector(&h, b, 0)
		emit(h)
	}
}

// slotVector takes the last, incomplete vector by way of the stack.
func (w *width) slotVector(opening bool) {
	b := w.states[0]
	VPXOR(b.AsX(), b.AsX(), b.AsX())
	VMOVDQU(b, w.slot)
	w.copyPart("in", left, src, false)
	var s stream
	if opening {
		s.add(func() { w.move(w.slot, w.data) })
		w.hashVector(&s, w.data, 0)
	}
	w.cipher(&s, 1)
	emit(s)
	VMOVDQU(at(keys, rounds*roundStride), w.last)
	VPXOR(w.slot, w.last, w.last)
	VAESENCLAST(w.last, b, b)
	VMOVDQU(b, w.slot)
	w.copyPart("out", left, dst, true)
	if !opening {
		// The bytes behind the text are no part of the ciphertext.
		LEAQ(window.at(), tmp)
		SUBQ(left, tmp)
		VPAND(at(tmp, 32), b, b)
		var h stream
		w.hashVector(&h, b, 0)
		emit(h)
	}
}

// finish adds the block of lengths, reduces, and writes or compares the tag.
func (w *width) finish(opening bool) {
	data, hash := w.data.AsX(), w.hash.AsX()
	MOVQ(at(job, jobLength), tmp)
	MOVQ(at(job, jobAADLength), tmp2)
	SHLQ(U8(3), tmp)
	SHLQ(U8(3), tmp2)
	VMOVQ(tmp, data)
	VPINSRQ(U8(1), tmp2, data, data)
	VPXOR(hash, data, data) // zero unless there was no rest
	var s stream
	w.multiplyBlock(&s)
	w.reduce(&s)
	emit(s)
	VPSHUFB(w.reverse128, hash, hash)
	VPXOR(w.tagMask, hash, hash)

	MOVQ(at(job, jobLength), tmp2)
	if !opening {
		MOVQ(at(job, jobDst), tmp)
		VMOVDQU(hash, Mem{Base: tmp, Index: tmp2, Scale: 1})
		return
	}
	MOVQ(at(job, jobSrc), tmp)
	VPXOR(Mem{Base: tmp, Index: tmp2, Scale: 1}, hash, hash)
	VPTEST(hash, hash)
	SETEQ(at(job, jobAuthentic))
}
