//go:build !race

package tier

// Race is set when the tests are built with the race detector.
const Race = false
