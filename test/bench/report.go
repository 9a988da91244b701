//go:build linux

package main

import (
	"cmp"
	"flag"
	"fmt"
	"maps"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// markdown writes what was measured as tables, and returns how many targets
// are not met.
func (r *results) markdown() (text string, missed int) {
	var b strings.Builder
	fmt.Fprintf(&b, "# Benchmark\n\n%s\n", r.header())
	b.WriteString(r.summary())
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
				fmt.Fprintf(&b, "\n## %s: %s\n\nMTU inside: %s.\n", title(s.name), s.about, r.mtuInside(s))
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
		cells += r.ratios(k, m)
		cells += " |"
	}
	return cells, ok
}

// ratios writes those of a figure, whose median is m, to the rivals in their order, as
// far as there is something to compare with.
func (r *results) ratios(k figureKey, m float64) string {
	var list []string
	compared := false
	for _, rival := range r.rivals() {
		other := k
		other.contender = rival
		text := "–"
		if base, _ := r.median(other); k.contender != rival && base > 0 && m >= 0 {
			if ratio, ok := r.ratio(k, other, plain); ok {
				text, compared = times(ratio), true
			}
		}
		list = append(list, text)
	}
	if !compared {
		return ""
	}
	return " (" + strings.Join(list, ", ") + ")"
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
	lines := []string{
		fmt.Sprintf("`%s` at commit %s.", commandLine(), r.Commit),
		r.Machine,
		fmt.Sprintf("AES-GCM in Fathom is `%s`, as `fathom status` names it ([cipher.md](cipher.md)).", cmp.Or(r.ciphers[aes.name], "–")),
		fmt.Sprintf("Congestion control %s, that of the machine; %s in transfers beside pings, where what fills the queue matters.", cmp.Or(r.congestion, "–"), pingCongestion),
		fmt.Sprintf("Medians of %d rounds, fewer where little varies, of %v each, in which the variants take turns in rotating order; in brackets the least and the largest; in parentheses the ratio to %s, the median of the ratios of each round.", r.Rounds, r.Length, strings.Join(r.rivals(), " and that to ")),
	}
	if r.Nebula == "" {
		lines = append(lines, "nebula was not given (`-nebula`), and so not measured.")
	}
	if r.joined {
		lines = append(lines, "Measured in parts (`-keep`): what a table compares has taken turns in one of them.")
	}
	return strings.Join(lines, "\n")
}

// machine says on what is measured, beside what.
func machine(nebulaVersion string) string {
	beside := []string{"wireguard-go " + output("go", "list", "-m", "-f", "{{.Version}}", wireguardModule)}
	if nebulaVersion != "" {
		beside = append(beside, "nebula "+nebulaVersion+", with all offloads that it has")
	}
	beside = append(beside, output("iperf3", "--version"))
	return fmt.Sprintf("Machine: Linux %s, %s, %d cores, shared by the daemons, the load and the kernel; %s.\nBeside it: %s.",
		kernel(), cpuModel(), runtime.NumCPU(), runtime.Version(), strings.Join(beside, ", "))
}

// mtuInside tells the MTU inside of all contenders at a scene.
func (r *results) mtuInside(s *scene) string {
	names := make(map[int][]string)
	for _, c := range s.contenders {
		if mtu := r.innerMTU[s.name][c.name]; mtu != 0 {
			names[mtu] = append(names[mtu], c.name)
		}
	}
	var list []string
	for _, mtu := range slices.Sorted(maps.Keys(names)) {
		list = append(list, fmt.Sprintf("%d (%s)", mtu, strings.Join(names[mtu], "; ")))
	}
	return cmp.Or(strings.Join(list, ", "), "–")
}

// commandLine is how this program was called. Of files it tells the names alone, not
// where they are.
func commandLine() string {
	name := os.Args[0]
	if strings.Contains(name, "go-build") { // go run made it
		name = "go run ./test/" + filepath.Base(name)
	}
	flag.Visit(func(f *flag.Flag) {
		value := f.Value.String()
		if filepath.IsAbs(value) {
			value = filepath.Base(value)
		}
		if strings.ContainsAny(value, " |()^$*?") {
			value = "'" + value + "'"
		}
		name += " -" + f.Name
		if value != "true" {
			name += " " + value
		}
	})
	return name
}

// commit is that of the tree.
func commit() string { return output("git", "describe", "--always", "--dirty") }

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
