package main

import (
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// Offsets in bytes of what the functions share with Go. The Go side, in
// keys_amd64.go and job_amd64.go, does not compile with others.
const (
	// In keys: round key i is at 16i. The power Hⁿ is at keyPower-16(n-1), and the
	// sum of its halves, twice, at foldedPower-16(n-1). Behind those of H¹ are zeros.
	keyPower    = 752
	foldedPower = 1328
	maxPower    = 33

	jobDst       = 0
	jobSrc       = 8
	jobLength    = 16
	jobAAD       = 24
	jobAADLength = 32
	jobIV        = 40
	jobSalt      = 48
	jobAuthentic = 52
	jobSize      = 56
)

// rounds is how often AES-256 applies a round key after the first.
const rounds = 14

// General registers, the same in all functions.
var (
	keys   = reg.RDI
	job    = reg.RSI
	count  = reg.RCX // jobs left
	dst    = reg.R8
	src    = reg.R9
	left   = reg.R10 // bytes left
	power  = reg.R11 // of the first block of the rest
	groups = reg.RBX // left before the rest
	tmp    = reg.RAX
	tmp2   = reg.RDX
)

func at(base reg.Register, offset int) Mem { return Mem{Base: base, Disp: offset} }
