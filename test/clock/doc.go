// Package clock makes times whose wall clock has been set, as on a host whose
// clock is wrong: a time.Time of this process tells two clocks, and only the one of
// the wall can be set.
package clock
