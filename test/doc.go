// Package test tries Fathom whole: the real command, in real network
// namespaces, with real TUN devices, sockets and routers between.
//
// The tests of a sentence are in the file of that name: traffic of every kind
// (inner_test.go), rekeying under load (rekey_test.go), and so on. They stand
// on package netlab, the laboratory, and package gateway, which runs the
// command on the laboratory's hosts. traffic_test.go has the loads that they
// put on a tunnel.
//
// The flags -offload off and -links offload run them another way: with packets
// one by one, and over links that carry superpackets. With -short they do less
// of the same.
//
// They need root or a user namespace; see netlab.Main. With CI=true in the
// environment whatever is missing is a failure, else a skipped test that says
// what is missing.
package test
