// Command hubload measures what a hub with many peers costs. It runs the fathom
// command beside a crowd of simulated peers (package crowd), in the namespace
// laboratory:
//
//	go run ./test/hubload [-peers 100,1000,3000] [-idle 20s] [-routes 100] [-fathom FILE] [-judge]
//
//	hub 10.1.0.1 ── veth ── 10.1.0.2 crowd, each peer at an address of its own
//
// For each number of peers it prints
//
//   - how long a cold start takes until all peers are up, and the CPU time of
//     the daemon until their paths have been searched too;
//   - the daemon's share of a core while nothing happens. With -idle 150s it
//     includes a rekey of each peer;
//   - its share of a core while foreign routes are added, and deleted again;
//   - the same as for a cold start for a restart, where it is the hub that calls.
//
// and whether the targets (targets.go) are met. With -judge it exits with 1 when one is
// not.
//
// The crowd shares the machine with the daemon, so CPU time is the figure to
// trust. It comes from /proc/PID/stat, in steps of 10 ms.
package main
