// Package document reads the commands and files that a document shows, so that tests run
// them as they stand there.
package document
