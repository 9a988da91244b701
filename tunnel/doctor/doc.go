// Package doctor says what is amiss with a tunnel and its host, and what to do about it.
// It is pure: observations in, findings out. Package inspect makes the observations of the
// host, the tunnel those of the peers.
//
// A finding is a fault, or what will become one; what may be so on purpose is none. What
// could not be observed is no finding either: the zero value of an observation says
// nothing. To add one: its code and its meaning in tunnel/status/doctor.go, a check here in
// the file of its concept, its line in checks, a row in the table of doctor_test.go, and a
// row in test/doctor_test.go that makes the fault.
package doctor
