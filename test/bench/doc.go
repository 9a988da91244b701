// Command bench measures Fathom beside wireguard-go, beside nebula where it is given, and
// beside no tunnel at all, in the namespace laboratory, prints tables and says which of
// the project's targets are met.
//
//	go run ./test/bench [-nebula PATH] [-rounds 5] [-time 2s] [-only REGEXP] [-also NAME=FILE]
//	                    [-keep FILE] [-write FOLDER] [-judge]
//
// or a hub with many peers (package hubload), for some numbers of them:
//
//	go run ./test/bench -hub 100,1000,10000 [-idle 20s] [-routes 100] [-fathom FILE] [-judge]
//
// The first takes about half an hour. With -write, the tables go to FOLDER/benchmark.md and a
// picture to FOLDER/benchmark.svg; with -judge, a target that is missed or not measured
// makes the exit code 1.
//
// The variants take turns within every round, in another order each round, so
// that other work of the machine falls on all of them. The tables show the medians
// of the rounds, the least and the largest throughput, and the medians of the
// rounds' ratios to each rival. A variant that fails or stalls is named and gets
// the worst of figures, and the run goes on.
//
// A long run can be measured in parts, by -only, which -keep joins: of one commit, on one
// machine, nothing twice. The last part writes the report of all.
//
// CPU time is that of the daemons. wireguard-go is built from the Go
// module that Fathom takes its TUN library from. nebula is not of this module's
// dependencies; -nebula names its binary, with nebula-cert beside it, which makes the
// certificates:
//
//	GOBIN=/tmp/nebula go install github.com/slackhq/nebula/cmd/nebula@latest
//	GOBIN=/tmp/nebula go install github.com/slackhq/nebula/cmd/nebula-cert@latest
//	go run ./test/bench -nebula /tmp/nebula/nebula
//
// Both rivals get the largest MTU inside that the path carries, and nebula all its
// offloads, which are off by default. The variant "copy only" is Fathom built with
// testdata/nullgcm.go in the place of AES: it shows the cost of everything except the
// cipher. Load comes from iperf3, except where arrivals must be seen one by one or
// connections are many.
//
// The files:
//
//	hub.go      the flags of -hub
//	scenes.go   the places, with the contenders and the measurements at each
//	places.go   how the hosts of a place are joined
//	loads.go    the measurements and their units
//	targets.go  the bounds that the figures must keep
//
// No file in a folder named testdata gets into the command.
package main
