// Package crowd simulates the many peers of a hub in one process, to show what a
// tunnel with thousands of them costs.
//
//	c, err := crowd.New(host, 1000)
//	err = hub.Configure("", c.Peers()...)
//	err = hub.Start()
//	err = c.Join(hub.Public, netip.MustParseAddrPort("10.1.0.1:4500"))
//	err = c.Await(ctx)
//	c.Close()
//
// Each peer has a key and an outer address of its own; all share one socket. A
// peer calls the hub until it is up, takes part in the
// handshakes that the hub begins, cookies and challenges included, answers echoes, probes,
// report requests and the question how it is set up, and measures its own direction of the path with a real
// pmtud.Discovery. It leaves rekeys to the hub, and carries no inner packets but the
// echoes of Talk.
//
// The peers share one or two processors, with the hub as well. So a peer that wants to call
// waits while datagrams of the hub do.
//
// Like package gateway it knows nothing of package testing.
package crowd
