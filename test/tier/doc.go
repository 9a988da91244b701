// Package tier decides which tests run when. docs/testing.md shows how to use
// it from the outside.
//
// There are three tiers:
//
//	go test -short ./...  without root, in under a minute on two cores, at any time
//	test/run              everything that guards a change, in several passes
//	test/run -long        before a release: the sizes and numbers of runs that figures need
//
// A pass of test/run is a `go test` with a name in the environment variable
// FATHOM_PASS. The tests read it, so that the choice stands in each of them:
//
//	pass        FATHOM_PASS  runs                                  with
//	race        (none)       everything but [Measures]             the race detector
//	measure     measure      [Measures]                            no race detector
//	long        long         [Measures] and [Long], in full        no race detector
//	packets     packets      all but [OffloadOnly] and [EitherWay] offload = "off"
//	superlinks  superlinks   [Superlinks]                          links that carry superpackets
//	emulated    emulated     what needs no laboratory, no [Native] another architecture, by QEMU
//
// `go test ./...`, without -short and without a pass, runs every test once, at the
// sizes of test/run.
//
// A test that a pass leaves out is skipped with the attribute "tier". That is
// not counted as skipped, since nothing is missing; see package tally.
package tier
