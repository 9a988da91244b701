package gcm

import "unsafe"

// checkOverlap panics where cipher.AEAD forbids an overlap: out and text may begin
// at the same byte or share none, and out shares none with the additional data.
func checkOverlap(out, text, additional []byte) {
	if overlap(out, text) && &out[0] != &text[0] || overlap(out, additional) {
		panic("gcm: invalid overlap of buffers")
	}
}

// overlap reports whether two slices share memory.
func overlap(a, b []byte) bool {
	p, q := uintptr(unsafe.Pointer(unsafe.SliceData(a))), uintptr(unsafe.Pointer(unsafe.SliceData(b)))
	return len(a) > 0 && len(b) > 0 && p < q+uintptr(len(b)) && q < p+uintptr(len(a))
}
