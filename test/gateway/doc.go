// Package gateway runs the fathom command on the hosts of a laboratory, as an
// operator does: with a configuration file, a key file and a process.
//
//	a, err := gateway.New(lab.A, binary, dir, "10.77.0.1/24")
//	b, err := gateway.New(lab.B, binary, dir, "10.77.0.2/24")
//	err = a.Configure("", gateway.Peer{Gateway: b, Endpoint: "10.2.0.2:4500"})
//	err = a.Start()
//	status, err := a.Await(ctx, gateway.Established)
//	err = a.Stop()
//
// It does not import package testing, so that programs such as the benchmark can
// use it as well.
package gateway
