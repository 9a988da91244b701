package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"fathom/test/gateway"
	"fathom/test/netlab"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run() (err error) {
	rounds := flag.Int("rounds", 5, "how often each variant takes its turn")
	length := flag.Duration("time", 3*time.Second, "length of one measurement")
	markdown := flag.String("markdown", "", "write the table to this `file` as well")
	flag.Parse()
	if !netlab.Entered() && netlab.Available(netlab.Namespaces) != nil {
		code, err := netlab.EnterUserNamespace()
		if err == nil && code != 0 {
			err = fmt.Errorf("exit code %d", code)
		}
		return err
	}
	defer netlab.Catch(&err)
	lab, err := netlab.New()
	if err != nil {
		return err
	}
	defer lab.Close()
	dir, err := os.MkdirTemp("", "fathom-bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	variants, err := prepare(lab, dir)
	if err != nil {
		return err
	}

	results := make(map[string]map[string][]sample) // by load, by variant
	for _, l := range loads {
		results[l.name] = make(map[string][]sample)
	}
	for round := range *rounds {
		for _, v := range variants {
			if err := v.start(); err != nil {
				return fmt.Errorf("%s: %w", v.name, err)
			}
			for _, l := range loads {
				s, err := measure(v, l, *length)
				if err != nil {
					return fmt.Errorf("%s, %s: %w", v.name, l.name, err)
				}
				results[l.name][v.name] = append(results[l.name][v.name], s)
				fmt.Fprintf(os.Stderr, "round %d  %-24s %-28s %10.2f %s  %6.2f cpu s/GB\n", round+1, v.name, l.name, s.value, l.unit, s.cpuPerGB)
			}
			v.stop()
		}
	}
	text := table(variants, results, *rounds, *length)
	fmt.Print(text)
	if *markdown != "" {
		return os.WriteFile(*markdown, []byte(text), 0o644)
	}
	return nil
}

// table writes the medians, and their ratios to the reference.
func table(variants []*variant, results map[string]map[string][]sample, rounds int, length time.Duration) string {
	var b strings.Builder
	commit, _ := exec.Command("git", "rev-parse", "--short", "HEAD").Output()
	kernel, _ := os.ReadFile("/proc/sys/kernel/osrelease")
	fmt.Fprintf(&b, "# Benchmark\n\n`go run ./test/bench -rounds %d -time %v` at commit %s, Linux %s, %d cores (shared by both daemons and the load), %s.\n"+
		"Medians of interleaved rounds; in parentheses the ratio to wireguard-go.\n",
		rounds, length, strings.TrimSpace(string(commit)), strings.TrimSpace(string(kernel)), runtime.NumCPU(), cpuModel())
	for _, l := range loads {
		fmt.Fprintf(&b, "\n## %s\n\n| | %s | CPU s/GB of both daemons |\n| --- | --- | --- |\n", l.name, l.unit)
		value := func(name string, f func(sample) float64) float64 {
			var list []float64
			for _, s := range results[l.name][name] {
				list = append(list, f(s))
			}
			slices.Sort(list)
			if len(list) == 0 {
				return 0
			}
			return list[len(list)/2]
		}
		rate, cpu := func(s sample) float64 { return s.value }, func(s sample) float64 { return s.cpuPerGB }
		for _, v := range variants {
			fmt.Fprintf(&b, "| %s | %s | %s |\n", v.name,
				beside(value(v.name, rate), value(reference, rate)), beside(value(v.name, cpu), value(reference, cpu)))
		}
	}
	return b.String()
}

// beside writes a value and its ratio to the reference's.
func beside(value, reference float64) string {
	if value == 0 || reference == 0 {
		return "–"
	}
	return fmt.Sprintf("%.2f (%.2f×)", value, value/reference)
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

// reference is the variant that the others are compared with.
const reference = "wireguard-go"

// variant is a way from host a to host b.
type variant struct {
	name    string
	a, b    *netlab.Host
	address string // of b
	start   func() error
	stop    func()
	pids    func() []int
}

// prepare lays the cable and builds what the variants need.
func prepare(lab *netlab.Lab, dir string) ([]*variant, error) {
	a, b := lab.Host("a"), lab.Host("b")
	cable := lab.Connect(a, b, netlab.LinkConfig{AddrA: netlab.Prefixes("10.1.0.1/24"), AddrB: netlab.Prefixes("10.1.0.2/24"), Offload: true})
	direct := &variant{name: "no tunnel", a: a, b: b, address: cable.B.Addr4().String(),
		start: func() error { return nil }, stop: func() {}, pids: func() []int { return nil }}
	variants := []*variant{direct}

	binary, err := gateway.Build(dir, false)
	if err != nil {
		return nil, err
	}
	for _, cipher := range []string{"aes-256-gcm", "chacha20-poly1305"} {
		v, err := fathomVariant(a, b, binary, filepath.Join(dir, cipher), cipher)
		if err != nil {
			return nil, err
		}
		variants = append(variants, v)
	}
	wireguard := filepath.Join(dir, "wireguard-go")
	if out, err := exec.Command("go", "build", "-o", wireguard, "golang.zx2c4.com/wireguard").CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build wireguard-go: %w\n%s", err, out)
	}
	return append(variants, wireguardVariant(a, b, wireguard)), nil
}

// fathomVariant runs two gateways with one cipher.
func fathomVariant(a, b *netlab.Host, binary, dir, cipher string) (*variant, error) {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
	ga, err := gateway.New(a, binary, dir, "10.77.0.1/24")
	if err != nil {
		return nil, err
	}
	gb, err := gateway.New(b, binary, dir, "10.77.0.2/24")
	if err != nil {
		return nil, err
	}
	extra := fmt.Sprintf("ciphers = [%q]", cipher)
	if err := ga.Configure(extra, gateway.Peer{Gateway: gb, Endpoint: "10.1.0.2:4500"}); err != nil {
		return nil, err
	}
	if err := gb.Configure(extra, gateway.Peer{Gateway: ga, Endpoint: "10.1.0.1:4500"}); err != nil {
		return nil, err
	}
	return &variant{
		name: "fathom, " + cipher, a: a, b: b, address: "10.77.0.2",
		start: func() error {
			for _, g := range []*gateway.Gateway{ga, gb} {
				if err := g.Start(); err != nil {
					return err
				}
			}
			ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
			defer cancel()
			for _, g := range []*gateway.Gateway{ga, gb} {
				if _, err := g.Await(ctx, gateway.Established); err != nil {
					return err
				}
			}
			time.Sleep(300 * time.Millisecond) // for the discovery
			return nil
		},
		stop: func() { ga.Stop(); gb.Stop() },
		pids: func() []int { return []int{ga.Pid(), gb.Pid()} },
	}, nil
}
