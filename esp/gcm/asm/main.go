// Command asm writes the assembly of package gcm: ../gcm_amd64.s. Run `go
// generate` in esp/gcm after a change; a test compares.
//
// It is a module of its own, so that the tunnel does not depend on the assembler
// generator.
package main

import (
	. "github.com/mmcloughlin/avo/build"
)

//go:generate go run . -out ../gcm_amd64.s

func main() {
	ConstraintExpr("amd64")
	features()
	setup()
	for _, w := range []*width{wide512(), wide256()} {
		w.function("seal", false)
		w.function("open", true)
	}
	Generate()
}
