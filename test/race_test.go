//go:build race

package test

// The command is built with the race detector when the tests are.
const race = true
