package gcm

import "golang.org/x/sys/cpu"

// vectorMakers returns the implementations in assembly that this processor can
// run.
func vectorMakers() []maker {
	x := &cpu.X86
	var found []maker
	if x.HasAVX512F && x.HasAVX512BW && x.HasAVX512VL && x.HasAVX512VAES && x.HasAVX512VPCLMULQDQ && x.HasBMI2 && x.HasAES && x.HasPCLMULQDQ {
		found = append(found, maker{"vaes-512", func(key []byte) (Cipher, error) { return newVector(key, true) }})
	}
	if x.HasAVX2 && x.HasAES && x.HasPCLMULQDQ && hasVAES() {
		found = append(found, maker{"vaes-256", func(key []byte) (Cipher, error) { return newVector(key, false) }})
	}
	return found
}

// extendedFeatures returns what CPUID says in ECX of leaf 7, which a processor with
// AVX2 has.
func extendedFeatures() uint32

// hasVAES reports VAES and VPCLMULQDQ, which package cpu tells only of processors
// with AVX-512.
func hasVAES() bool {
	const vaes, vpclmulqdq = 1 << 9, 1 << 10
	return extendedFeatures()&(vaes|vpclmulqdq) == vaes|vpclmulqdq
}
