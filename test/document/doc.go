// Package document reads the commands and files that a document shows, so that tests run
// them as they stand there. Its own test has an entry for each of them: the test that does
// so, or the reason why none does.
package document
