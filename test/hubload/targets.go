package main

import (
	"fmt"
	"io"
	"time"
)

// The things that are measured.
const (
	coldStart     = "cold start"
	idleShare     = "idle"
	foreignRoutes = "foreign routes"
	restart       = "restart"
)

// figures are what has been measured of one thing.
type figures struct {
	up    time.Duration // until all peers are up
	cpu   time.Duration // of the daemon until then
	share float64       // of a core, in percent
}

// target is a bound for what is measured at a number of peers.
type target struct {
	peers  int
	what   string
	text   string
	bound  float64
	figure func(figures) float64
}

func seconds(f figures) float64    { return f.up.Seconds() }
func cpuSeconds(f figures) float64 { return f.cpu.Seconds() }
func percent(f figures) float64    { return f.share }

// targets hold for a machine with two cores, which the crowd shares.
var targets = []target{
	{1000, coldStart, "seconds until all are up", 5, seconds},
	{1000, coldStart, "seconds of CPU time until then", 2.5, cpuSeconds},
	{1000, restart, "seconds until all are up", 4, seconds},
	{1000, restart, "seconds of CPU time until then", 2.5, cpuSeconds},
	{3000, coldStart, "seconds until all are up", 20, seconds},
	{3000, restart, "seconds until all are up", 20, seconds},
	{3000, idleShare, "percent of a core", 8, percent},
	{1000, foreignRoutes, "percent of a core", 5, percent},
	{3000, foreignRoutes, "percent of a core", 5, percent},
}

// judge prints each target about a number of peers with what was measured, and returns
// how many are not met. What was not measured is not met.
func judge(w io.Writer, peers int, measured map[string]figures) (missed int) {
	for _, t := range targets {
		if t.peers != peers {
			continue
		}
		f, ok := measured[t.what]
		if !ok {
			fmt.Fprintf(w, "%5d peers, %-20s %s: not measured\n", peers, t.what+":", t.text)
			missed++
			continue
		}
		verdict := "met"
		if m := t.figure(f); m > t.bound {
			verdict = "MISSED"
			missed++
		}
		fmt.Fprintf(w, "%5d peers, %-20s %s: %.2f, at most %.1f, %s\n", peers, t.what+":", t.text, t.figure(f), t.bound, verdict)
	}
	return missed
}
