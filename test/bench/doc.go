// Command bench measures Fathom beside wireguard-go and beside no tunnel at
// all, in the namespace laboratory, prints tables and says which of the
// project's targets are met.
//
//	go run ./test/bench [-rounds 5] [-time 3s] [-only REGEXP] [-also NAME=FILE] [-write FOLDER]
//
// The variants take turns within every round, so that whatever else the machine
// does falls on all of them. What is printed are the medians of the rounds, and
// the ratios of the medians to wireguard-go's. CPU time is that of the two
// daemons, from /proc/PID/stat. wireguard-go is built from the Go module that
// Fathom takes its TUN library from. The variant "copy only" is Fathom built
// with testdata/nullgcm.go in the place of AES: what everything but the cipher
// costs. With -write, the tables go to FOLDER/benchmark.md and their picture
// to FOLDER/benchmark.svg.
//
// What is measured where:
//
//	scenes.go   the places, who takes part, and what is measured there
//	targets.go  what is asked of the figures
//
// Of everything in a folder named testdata nothing gets into the command.
package main
