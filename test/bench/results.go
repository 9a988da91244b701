package main

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"time"
)

// results are the figures of all rounds.
type results struct {
	rounds  int
	length  time.Duration
	figures map[figureKey][]float64 // of each round
}

// figureKey names a figure: where, what, whose, and which column.
type figureKey struct {
	scene, load, contender string
	column                 int
}

func newResults(rounds int, length time.Duration) *results {
	return &results{rounds: rounds, length: length, figures: make(map[figureKey][]float64)}
}

func (r *results) add(s *scene, l load, contender string, figures []float64) {
	for i, f := range figures {
		k := figureKey{s.name, l.name, contender, i}
		r.figures[k] = append(r.figures[k], f)
	}
}

// median returns the median of the rounds; ok is false if there are none.
func (r *results) median(k figureKey) (m float64, ok bool) {
	list := slices.Sorted(slices.Values(r.figures[k]))
	if len(list) == 0 {
		return 0, false
	}
	return list[len(list)/2], true
}

// markdown writes what was measured as tables.
func (r *results) markdown() string {
	var b strings.Builder
	commit, _ := exec.Command("git", "describe", "--always", "--dirty").Output()
	kernel, _ := os.ReadFile("/proc/sys/kernel/osrelease")
	fmt.Fprintf(&b, "# Benchmark\n\n`go run ./test/bench -rounds %d -time %v` at commit %s, %s, Linux %s, %d cores (shared by both daemons, the load and the kernel), %s.\n"+
		"Medians of %d interleaved rounds; in parentheses the ratio to wireguard-go.\n",
		r.rounds, r.length, strings.TrimSpace(string(commit)), runtime.Version(), strings.TrimSpace(string(kernel)), runtime.NumCPU(), cpuModel(), r.rounds)
	r.judge(&b)
	for i := range scenes {
		s := &scenes[i]
		fresh := true
		for _, l := range s.loads {
			var rows strings.Builder
			for _, c := range s.contenders {
				if cells, ok := r.row(s, l, c.name); ok {
					fmt.Fprintf(&rows, "| %s |%s\n", c.name, cells)
				}
			}
			if rows.Len() == 0 {
				continue
			}
			if fresh {
				fmt.Fprintf(&b, "\n## %s: %s\n", strings.ToUpper(s.name[:1])+s.name[1:], s.about)
				fresh = false
			}
			fmt.Fprintf(&b, "\n%s:\n\n| | %s |\n|%s\n%s", strings.ToUpper(l.name[:1])+l.name[1:], strings.Join(l.columns, " | "), strings.Repeat(" --- |", len(l.columns)+1), &rows)
		}
	}
	return b.String()
}

// row writes the cells of one contender.
func (r *results) row(s *scene, l load, contender string) (cells string, ok bool) {
	for i := range l.columns {
		m, measured := r.median(figureKey{s.name, l.name, contender, i})
		if !measured {
			return "", false
		}
		cells += fmt.Sprintf(" %.2f", m)
		if other, _ := r.median(figureKey{s.name, l.name, reference, i}); other != 0 && m != 0 {
			cells += fmt.Sprintf(" (%.2f×)", m/other)
		}
		cells += " |"
	}
	return cells, true
}

func cpuModel() string {
	text, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(text)) {
		if name, ok := strings.CutPrefix(line, "model name"); ok {
			return strings.TrimSpace(strings.TrimLeft(name, "\t :"))
		}
	}
	return runtime.GOARCH
}
