package hubload

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"
)

// The things that are measured.
const (
	coldStart     = "cold start"
	idle          = "idle"
	memoryUsed    = "memory"
	allTalk       = "all talk"
	tenTalk       = "ten talk"
	foreignRoutes = "foreign routes"
	restTrips     = "trips at rest"
	stormTrips    = "trips in a storm"
	restart       = "restart"
	restartTrips  = "trips after it"
)

// figures are what has been measured of one thing.
type figures struct {
	up     time.Duration // until all peers are up
	cpu    time.Duration // of the daemon until then
	share  float64       // of a core, in percent
	memory int64         // of the daemon, in bytes
	each   time.Duration // of CPU time for an echo
	late   time.Duration // 99th percentile of the round trips
}

// results are the figures by number of peers and by what.
type results map[int]map[string]figures

// smallest is the least number of peers that was measured, with which others are compared.
func (r results) smallest() int { return slices.Min(slices.Collect(maps.Keys(r))) }

// perPeer returns the memory that a peer takes, in kB: the difference between many peers
// and the fewest.
func (r results) perPeer(peers int) (kB float64, ok bool) {
	few := r.smallest()
	more, all := r[peers][memoryUsed]
	base, fewToo := r[few][memoryUsed]
	return float64(more.memory-base.memory) / float64(peers-few) / 1e3, all && fewToo && peers > few
}

// target is a bound for what is measured at a number of peers.
type target struct {
	peers  int
	what   string
	text   string
	bound  float64
	figure func(r results, peers int, what string) (float64, bool)
}

// of is a figure of one thing.
func of(figure func(figures) float64) func(results, int, string) (float64, bool) {
	return func(r results, peers int, what string) (float64, bool) {
		f, ok := r[peers][what]
		return figure(f), ok
	}
}

var (
	seconds    = of(func(f figures) float64 { return f.up.Seconds() })
	cpuSeconds = of(func(f figures) float64 { return f.cpu.Seconds() })
	percent    = of(func(f figures) float64 { return f.share })
)

// kilobytes is perPeer as the figure of a target.
func kilobytes(r results, peers int, _ string) (float64, bool) { return r.perPeer(peers) }

// later is how much later than at rest the branch has its answers, in ms.
func later(r results, peers int, what string) (float64, bool) {
	rest, atRest := r[peers][restTrips]
	f, ok := r[peers][what]
	return (f.late - rest.late).Seconds() * 1e3, ok && atRest
}

// beside is what an echo costs beside the same with the fewest peers.
func beside(r results, peers int, what string) (float64, bool) {
	f, ok := r[peers][what]
	few, fewToo := r[r.smallest()][what]
	return float64(f.each) / float64(max(few.each, 1)), ok && fewToo
}

// targets hold for a machine with two cores, which the crowd shares.
var targets = []target{
	{1000, coldStart, "seconds until all are up", 5, seconds},
	{1000, coldStart, "seconds of CPU time until then", 2.5, cpuSeconds},
	{1000, restart, "seconds until all are up", 4, seconds},
	{1000, restart, "seconds of CPU time until then", 2.5, cpuSeconds},
	{1000, foreignRoutes, "percent of a core", 5, percent},
	{1000, allTalk, "CPU time of an echo beside that with few peers", 1.25, beside},

	{10000, restart, "seconds until all are up", 15, seconds},
	{10000, idle, "percent of a core", 5, percent},
	{10000, memoryUsed, "kB a peer", 40, kilobytes},
	{10000, stormTrips, "ms that p99 is later than at rest", 5, later},
	{10000, restartTrips, "ms that p99 is later than at rest", 5, later},
	{10000, allTalk, "CPU time of an echo beside that with few peers", 1.25, beside},
}

// judge prints each target about a number of peers that was asked for with what was
// measured, and returns how many are not met. What was not measured is not met.
func (r results) judge(w io.Writer) (missed int) {
	for _, t := range targets {
		if _, asked := r[t.peers]; !asked {
			continue
		}
		m, ok := t.figure(r, t.peers, t.what)
		if !ok {
			fmt.Fprintf(w, "%5d peers, %-16s %s: not measured\n", t.peers, t.what+":", t.text)
			missed++
			continue
		}
		verdict := "met"
		if m > t.bound {
			verdict = "MISSED"
			missed++
		}
		fmt.Fprintf(w, "%5d peers, %-16s %s: %.2f, at most %g, %s\n", t.peers, t.what+":", t.text, m, t.bound, verdict)
	}
	return missed
}

// table prints the figures for a document.
func (r results) table(w io.Writer) {
	fmt.Fprintf(w, "\n| peers | all up, s | after a restart, s | its CPU time, s | idle, %% of a core | kB a peer | µs of CPU time an echo: all | ten of them | p99 at rest, ms | nine of ten begin anew | restart |\n|%s\n", strings.Repeat(" --- |", 11))
	ms := func(d time.Duration) float64 { return d.Seconds() * 1e3 }
	for _, n := range slices.Sorted(maps.Keys(r)) {
		f := r[n]
		memory := "–"
		if kB, ok := r.perPeer(n); ok {
			memory = fmt.Sprintf("%.1f", kB)
		}
		fmt.Fprintf(w, "| %d | %.2f | %.2f | %.2f | %.2f | %s | %.0f | %.0f | %.2f | %.2f | %.2f |\n", n,
			f[coldStart].up.Seconds(), f[restart].up.Seconds(), f[restart].cpu.Seconds(), f[idle].share, memory,
			1e3*ms(f[allTalk].each), 1e3*ms(f[tenTalk].each), ms(f[restTrips].late), ms(f[stormTrips].late), ms(f[restartTrips].late))
	}
	fmt.Fprintln(w)
}
