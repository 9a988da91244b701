// Package test tries Fathom whole: the real command, in real network
// namespaces, with real TUN devices, sockets and routers between.
//
// Each file holds the tests of one subject: traffic of every kind (inner_test.go),
// rekeying under load (rekey_test.go), and so on. They use package netlab, the
// laboratory, and package gateway, which runs the command on the laboratory's
// hosts. traffic_test.go has the loads that they put on a tunnel.
//
// Each begins with tier.Select, which says in which passes of test/run it runs:
// see package tier. None guesses how fast the machine is: a load goes on until
// its test has seen the expected event, and measurements are compared with what
// the same machine does at the same time.
//
// They need root or a user namespace; see netlab.Main. A test that lacks something
// is skipped and says what it lacks; with CI=true in the environment it fails.
package test
