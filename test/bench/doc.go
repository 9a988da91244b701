// Command bench measures Fathom beside wireguard-go and beside no tunnel at
// all, in the namespace laboratory, and prints a table.
//
//	go run ./test/bench [-rounds 5] [-time 3s] [-markdown FILE]
//
// The variants take turns within every round, so that whatever else the machine
// does falls on all of them; the medians of the rounds are printed, and the
// ratios of the medians to wireguard-go's. wireguard-go is built from the Go
// module that Fathom takes its TUN library from. CPU time is that of the two
// daemons, from /proc/PID/stat.
//
//	host a ── 1500 bytes, veth with offload ── host b
package main
