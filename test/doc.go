// Package test tries Fathom whole: the real command, in real network
// namespaces, with real TUN devices, sockets and routers between.
//
// The tests of a sentence are in the file of that name: traffic of every kind
// (inner_test.go), rekeying under load (rekey_test.go), and so on. They stand
// on package netlab, the laboratory, and package gateway, which runs the
// command on the laboratory's hosts. traffic_test.go has the loads that they
// put on a tunnel.
//
// Each begins with tier.Select, which says in which passes of test/run it runs:
// see package tier. None guesses how fast the machine is: a load goes on until
// its test has seen what it looks for, and what is measured is compared with
// what the same machine does at the same time.
//
// They need root or a user namespace; see netlab.Main. With CI=true in the
// environment whatever is missing is a failure, else a skipped test that says
// what is missing.
package test
