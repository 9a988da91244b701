//go:build linux

package main

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
)

// markdown writes what was measured as tables, and returns how many targets
// are not met.
func (r *results) markdown() (text string, missed int) {
	var b strings.Builder
	fmt.Fprintf(&b, "# Benchmark\n\n%s\n", r.header())
	missed = r.judge(&b)
	if len(r.failures) > 0 {
		fmt.Fprintf(&b, "\n## What failed\n\nIt counts as nothing carried, and as endless delay.\n\n")
		for _, f := range r.failures {
			// One line each, and nothing that Markdown would take for its own.
			fmt.Fprintf(&b, "* `%s`\n", strings.NewReplacer("\n", " / ", "`", "'").Replace(strings.TrimSpace(f)))
		}
	}
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
				fmt.Fprintf(&b, "\n## %s: %s\n", title(s.name), s.about)
				fresh = false
			}
			var heads strings.Builder
			for _, c := range l.columns {
				fmt.Fprintf(&heads, " %s |", c.text)
			}
			fmt.Fprintf(&b, "\n%s:\n\n| |%s\n|%s\n%s", title(l.name), &heads, strings.Repeat(" --- |", len(l.columns)+1), &rows)
		}
	}
	return b.String(), missed
}

func title(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

// row writes the cells of one contender; ok is false when it was not measured.
func (r *results) row(s *scene, l *load, contender string) (cells string, ok bool) {
	for i, c := range l.columns {
		k := figureKey{s.name, l.name, contender, i}
		m, measured := r.median(k)
		if !measured {
			cells += " – |"
			continue
		}
		ok = true
		cells += " " + number(m)
		if least, largest := spread(r.figures[k]); c.good == higher && least != largest {
			cells += fmt.Sprintf(" [%s–%s]", number(least), number(largest))
		}
		other := figureKey{s.name, l.name, reference, i}
		if base, _ := r.median(other); contender == reference || base <= 0 || m < 0 {
			// Nothing to compare with.
		} else if ratio, ok := r.ratio(k, other, plain); ok {
			cells += fmt.Sprintf(" (%s)", times(ratio))
		}
		cells += " |"
	}
	return cells, ok
}

// times writes a ratio. A ratio to almost zero means nothing.
func times(ratio float64) string {
	const most = 100
	if ratio > most {
		return fmt.Sprintf(">%d×", most)
	}
	return number(ratio) + "×"
}

// number writes a figure with three digits or more.
func number(f float64) string {
	switch size := math.Abs(f); {
	case math.IsInf(f, 0):
		return "∞"
	case size >= 100:
		return fmt.Sprintf("%.0f", f)
	case size >= 10:
		return fmt.Sprintf("%.1f", f)
	}
	return fmt.Sprintf("%.2f", f)
}

// header says what was measured on which machine, and how.
func (r *results) header() string {
	var inner []string
	for _, name := range slices.Sorted(maps.Keys(r.innerMTU)) {
		inner = append(inner, fmt.Sprintf("%s %d", name, r.innerMTU[name]))
	}
	lines := []string{
		fmt.Sprintf("`%s` at commit %s, %s.", commandLine(), commit(), runtime.Version()),
		fmt.Sprintf("Machine: Linux %s, %s, %d cores, shared by both daemons, the load and the kernel.", kernel(), cpuModel(), runtime.NumCPU()),
		fmt.Sprintf("Beside it: wireguard-go %s, %s.", output("go", "list", "-m", "-f", "{{.Version}}", wireguardModule), output("iperf3", "--version")),
		fmt.Sprintf("Path MTU %d bytes (IP packet outside); MTU inside: %s.", wideMTU, cmp.Or(strings.Join(inner, "; "), "–")),
		fmt.Sprintf("Congestion control %s, that of the machine; %s in transfers beside pings, where what fills the queue matters.", cmp.Or(r.congestion, "–"), pingCongestion),
		fmt.Sprintf("Medians of %d rounds, fewer where little varies, of %v each, in which the variants take turns in rotating order; in brackets the least and the largest; in parentheses the ratio to wireguard-go, the median of the ratios of each round.", r.rounds, r.length),
	}
	return strings.Join(lines, "\n")
}

// commandLine is how this program was called.
func commandLine() string {
	name := os.Args[0]
	if strings.Contains(name, "go-build") { // go run made it
		name = "go run ./test/" + filepath.Base(name)
	}
	return strings.Join(append([]string{name}, os.Args[1:]...), " ")
}

// commit is the measured one. It is found only once, since the written report makes
// the tree dirty.
var commit = sync.OnceValue(func() string { return output("git", "describe", "--always", "--dirty") })

// output returns the first line of what a command prints.
func output(name string, args ...string) string {
	text, err := exec.Command(name, args...).Output()
	if err != nil {
		return name + ": " + err.Error()
	}
	line, _, _ := strings.Cut(string(text), "\n")
	return strings.TrimSpace(line)
}

func kernel() string {
	text, _ := os.ReadFile("/proc/sys/kernel/osrelease")
	return strings.TrimSpace(string(text))
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
