package main

import (
	"github.com/mmcloughlin/avo/attr"
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// setup writes the function that derives the round keys and the powers of H from a
// key of 32 bytes. Both widths use it.
//
//	X0 X1   the last two round keys      X4   H, times x
//	X2 X3   temporaries                  X5   the power at hand
func setup() {
	TEXT("setup", attr.NOSPLIT, "func(k *byte, key *byte)")
	Load(Param("k"), keys)
	Load(Param("key"), src)
	expand()
	authenticationKey()
	powers()
	for i := range 16 {
		VPXOR(y[i].AsX(), y[i].AsX(), y[i].AsX())
	}
	VZEROUPPER()
	RET()
}

// expand writes the key schedule of AES-256 (FIPS 197 section 5.2).
func expand() {
	even, odd := reg.X0, reg.X1
	VMOVDQU(at(src, 0), even)
	VMOVDQU(at(src, 16), odd)
	store := func(i int, key reg.VecPhysical) {
		VMOVDQU(key, at(keys, i*16))
	}
	store(0, even)
	store(1, odd)
	for i := 2; i <= rounds; i++ {
		key, last := even, odd
		constant, word := uint8(1<<(i/2-1)), uint8(0xff) // with RotWord
		if i%2 == 1 {
			key, last = odd, even
			constant, word = 0, 0xaa
		}
		VAESKEYGENASSIST(U8(constant), last, reg.X2)
		VPSHUFD(U8(word), reg.X2, reg.X2)
		for range 3 { // each word adds the one before
			VPSLLDQ(U8(4), key, reg.X3)
			VPXOR(reg.X3, key, key)
		}
		VPXOR(reg.X2, key, key)
		store(i, key)
	}
}

// authenticationKey leaves H, the cipher of zero, multiplied by x in X4.
func authenticationKey() {
	h := reg.X4
	VMOVDQU(at(keys, 0), h)
	for i := 1; i < rounds; i++ {
		VAESENC(at(keys, i*16), h, h)
	}
	VAESENCLAST(at(keys, rounds*16), h, h)
	VPSHUFB(reversal.at(), h, h)
	// The carry out of each half, and the mask of the one that leaves at the top.
	VPSRLQ(U8(63), h, reg.X2)
	VPSLLDQ(U8(8), reg.X2, reg.X2)
	VPSHUFD(U8(0xff), h, reg.X3)
	VPSRAD(U8(31), reg.X3, reg.X3)
	VPAND(carry.at(), reg.X3, reg.X3)
	VPADDQ(h, h, h)
	VPOR(reg.X2, h, h)
	VPXOR(reg.X3, h, h)
}

// powers writes the powers of H.
func powers() {
	// The part of the registers that hashBlock knows.
	w := &width{block: y[5].AsX(), hash: y[5], low: y[6], middle: y[7], temp: y[8], poly128: poly.at()}
	LEAQ(at(keys, keyPower), power)
	store := func() {
		VMOVDQU(reg.X5, at(power, 0))
		VPSHUFD(U8(0x4e), reg.X5, reg.X2)
		VPXOR(reg.X5, reg.X2, reg.X2)
		VMOVDQU(reg.X2, at(power, foldedPower-keyPower))
	}
	VMOVDQA(reg.X4, reg.X5)
	store()
	MOVQ(U32(maxPower-1), count)
	Label("power")
	SUBQ(U8(16), power)
	var s stream
	w.hashBlock(&s)
	emit(s)
	store()
	DECQ(count)
	JNZ(LabelRef("power"))
}
