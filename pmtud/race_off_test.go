//go:build !race

package pmtud

const raceEnabled = false
