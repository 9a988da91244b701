// Package hubload measures what a hub with many peers costs. It runs the fathom
// command beside a crowd of simulated peers (package crowd), in the namespace
// laboratory. Command bench runs it:
//
//	go run ./test/bench -hub 10,100,1000,10000 [-idle 20s] [-routes 100] [-fathom FILE] [-judge]
//
//	branch 10.2.0.2 ── veth ── 10.2.0.1 hub 10.1.0.1 ── veth ── 10.1.0.2 crowd, each peer at an address of its own
//
// The branch runs the fathom command, too: a peer that is up, whose round trips inside the
// tunnel tell what others notice (echo.go). For each number of peers it measures
// (load.go)
//
//   - how long a cold start takes until all peers are up, and the CPU time of
//     the daemon until their paths have been searched too;
//   - the daemon's share of a core while nothing happens. With -idle 150s it
//     includes a rekey of each peer;
//   - its memory after that;
//   - what share more it takes while every peer has an echo a second with the hub's host
//     inside the tunnel, and while ten of them do;
//   - its share of a core while foreign routes are added, and deleted again;
//   - the round trips of the branch, at rest and while nine of ten peers begin anew at
//     once;
//   - the same as for a cold start for a restart, where it is the hub that calls.
//
// At the end it says whether the targets are met (targets.go).
//
// The crowd shares the machine with the daemon, so CPU time is the figure to
// trust.
package hubload
