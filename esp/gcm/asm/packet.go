package main

import (
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

	if opening {
		w.openText()
	} else {
		w.sealText()
	}
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
		key := at(keys, i*16)
		switch i {
		case 0:
			s.add(func() { VPXOR(key, a, a) })
		case rounds:
			s.add(func() { VAESENCLAST(key, a, a) })
		default:
			s.add(func() { VAESENC(key, a, a) })
		}
	}
}

// additional takes the additional data into the hash, which begins as zero.
func (w *width) additional() {
	block, hash := w.block, w.hash.AsX()
	VPXOR(hash, hash, hash)
	MOVQ(at(job, jobAAD), tmp)
	MOVQ(at(job, jobAADLength), tmp2)

	Label("additional")
	CMPQ(tmp2, U8(16))
	JB(LabelRef("additionalRest"))
	VMOVDQU(at(tmp, 0), block)
	Label("additionalBlock")
	var s stream
	s.add(func() { VPSHUFB(w.reverse128, block, block) })
	s.add(func() { VPXOR(hash, block, block) })
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
		VMOVDQU8_Z(at(tmp, 0), reg.K1, block)
	} else {
		VPXOR(block, block, block)
		VMOVDQU(block, w.slot)
		w.copyPart("additional", tmp2, tmp, false)
		VMOVDQU(w.slot, block)
	}
	MOVQ(U32(16), tmp2)
	JMP(LabelRef("additionalBlock"))
	Label("additionalEnd")
}

// finish adds the block of lengths, reduces, and writes or compares the tag.
func (w *width) finish(opening bool) {
	block, hash := w.block, w.hash.AsX()
	MOVQ(at(job, jobLength), tmp)
	MOVQ(at(job, jobAADLength), tmp2)
	SHLQ(U8(3), tmp)
	SHLQ(U8(3), tmp2)
	VMOVQ(tmp, block)
	VPINSRQ(U8(1), tmp2, block, block)
	VPXOR(hash, block, block) // zero unless there was no rest
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
