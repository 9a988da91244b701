// Command tally reads the output of `go test -json`, prints the part that a person
// wants to see, and counts the tests.
//
//	go test -json ./... | tally -pass race -to file
//	tally -sum file
//
// The first prints the results of packages, all output of tests that fail or
// are skipped, with -v all output, and at its end the numbers. It fails when no
// test passed, so that a pass without tests is noticed. The second prints the
// figures of all passes in the file, the tests that failed, and the sum: the end
// of a long log says what failed.
//
// A test that its pass leaves out (see package tier) does not count as skipped.
package main
