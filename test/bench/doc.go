// Command bench measures Fathom beside wireguard-go and beside no tunnel at
// all, in the namespace laboratory, prints tables and says which of the
// project's targets are met.
//
//	go run ./test/bench [-rounds 5] [-time 2s] [-only REGEXP] [-also NAME=FILE] [-write FOLDER] [-judge]
//
// It takes about fourteen minutes. With -write, the tables go to
// FOLDER/benchmark.md and a picture to FOLDER/benchmark.svg; with -judge, a
// target that is missed or not measured makes the exit code 1.
//
// The variants take turns within every round, in another order each round, so
// that whatever else the machine does falls on all of them. What is printed are
// the medians of the rounds, the least and the largest throughput, and the
// medians of the rounds' ratios to wireguard-go. What fails or stalls is named,
// counts as the worst of figures, and the run goes on.
//
// CPU time is that of the two daemons, from /proc/PID/stat. wireguard-go is
// built from the Go module that Fathom takes its TUN library from. The variant
// "copy only" is Fathom built with testdata/nullgcm.go in the place of AES: what
// everything but the cipher costs. Load comes from iperf3, except where arrivals
// must be seen one by one: a path that shrinks, and pings beside a transfer.
//
// What is measured where:
//
//	scenes.go   the places, who takes part, and what is measured there
//	loads.go    what is measured, and in which units
//	targets.go  what is asked of the figures
//
// Of everything in a folder named testdata nothing gets into the command.
package main
