//go:build linux

package test

import (
	"bytes"
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"fathom/test/tier"
)

// listed is what `go list` tells of a package, its tests left out.
type listed struct {
	ImportPath string
	Dir        string
	Doc        string
	GoFiles    []string
	Imports    []string
}

func listPackages(t *testing.T) map[string]listed {
	t.Helper()
	out, err := exec.Command("go", "list", "-json=ImportPath,Dir,Doc,GoFiles,Imports", "fathom/...").Output()
	check(t, err)
	packages := make(map[string]listed)
	for decoder := json.NewDecoder(bytes.NewReader(out)); decoder.More(); {
		var p listed
		check(t, decoder.Decode(&p))
		packages[p.ImportPath] = p
	}
	if len(packages) < 8 {
		t.Fatalf("only %d packages", len(packages))
	}
	return packages
}

// TestDependenciesPointOneWay: cmd -> tunnel -> {esp, pmtud, crypto, conf}.
func TestDependenciesPointOneWay(t *testing.T) {
	tier.Select(t, tier.Quick, tier.EitherWay)
	// What each package imports of this module.
	may := map[string][]string{
		"esp": {"esp/gcm"}, "esp/gcm": {}, "crypto": {}, "conf": {}, "pmtud": {},
		"tunnel": {"esp", "esp/gcm", "crypto", "conf", "pmtud",
			"tunnel/udp", "tunnel/tun", "tunnel/host", "tunnel/status", "tunnel/inner", "tunnel/control", "tunnel/paths", "tunnel/history", "tunnel/web", "tunnel/hops"},
		"tunnel/doctor":       {"conf", "tunnel/status"},
		"tunnel/inspect":      {"conf", "tunnel/doctor", "tunnel/host", "tunnel/status", "tunnel/udp"},
		"tunnel/control":      {},
		"tunnel/inner":        {},
		"tunnel/paths":        {},
		"tunnel/hops":         {},
		"tunnel/udp":          {},
		"tunnel/tun":          {"tunnel/inner"},
		"tunnel/host":         {},
		"tunnel/history":      {},
		"tunnel/status":       {"tunnel/history"},
		"tunnel/metrics":      {"tunnel/status"},
		"tunnel/web":          {"tunnel/metrics", "tunnel/status"},
		"cmd/fathom":          {"tunnel", "tunnel/doctor", "tunnel/inspect", "tunnel/status", "tunnel/history", "conf", "crypto", "esp/gcm", "test/netlab"},
		"test/netlab":         {},
		"test/netlab/labtest": {"test/netlab", "test/tier"},
		"test/tier":           {},
	}
	packages := listPackages(t)
	for path := range packages {
		name := strings.TrimPrefix(path, "fathom/")
		if _, ok := may[name]; !ok && !strings.HasPrefix(name, "test") { // tests stand on everything
			t.Errorf("%s: a package that the architecture does not know", name)
		}
	}
	for name, allowed := range may {
		p, ok := packages["fathom/"+name]
		if !ok {
			t.Errorf("%s: there is no such package any more", name)
		}
		for _, i := range p.Imports {
			if i, ours := strings.CutPrefix(i, "fathom/"); ours && !slices.Contains(allowed, i) {
				t.Errorf("%s must not import %s", name, i)
			}
		}
		for _, i := range allowed {
			if ok && !slices.Contains(p.Imports, "fathom/"+i) {
				t.Errorf("%s may import %s and does not", name, i)
			}
		}
	}
}

// TestCoresArePure: no I/O, no goroutine, no clock and no randomness of their
// own. Only conf.Load reads files.
func TestCoresArePure(t *testing.T) {
	tier.Select(t, tier.Quick, tier.EitherWay)
	packages := listPackages(t)
	impure := []string{"crypto/rand", "math/rand", "math/rand/v2", "log", "log/slog", "net", "net/http", "io/fs", "os", "os/exec", "os/signal", "syscall"}
	exempt := map[string][]string{ // by package or file
		"crypto":       {"log/slog"},                 // keys hide themselves from it
		"esp/gcm":      {"golang.org/x/sys/cpu"},     // what the processor can do
		"conf":         {"log/slog", "net", "io/fs"}, // a log level is a setting; host:port is split; errors of files are told apart
		"conf/load.go": {"os", "syscall"},
	}
	functions := map[string][]string{ // of impure packages that are pure
		"net":  {"SplitHostPort", "JoinHostPort"},
		"time": {"Time", "Duration", "ParseDuration", "UnixMilli", "Microsecond", "Millisecond", "Second", "Minute", "Hour"},
	}
	for _, name := range []string{"esp", "esp/gcm", "pmtud", "crypto", "conf", "tunnel/control", "tunnel/inner", "tunnel/paths", "tunnel/history", "tunnel/hops", "tunnel/doctor"} {
		p, ok := packages["fathom/"+name]
		if !ok {
			t.Errorf("%s: there is no such package any more", name)
		}
		for _, file := range p.GoFiles {
			parsed, err := parser.ParseFile(token.NewFileSet(), filepath.Join(p.Dir, file), nil, 0)
			check(t, err)
			file = name + "/" + file
			for _, i := range parsed.Imports {
				path, err := strconv.Unquote(i.Path.Value)
				check(t, err)
				if (slices.Contains(impure, path) || strings.HasPrefix(path, "golang.org/x/sys/")) && !slices.Contains(slices.Concat(exempt[name], exempt[file]), path) {
					t.Errorf("%s imports %s", file, path)
				}
			}
			ast.Inspect(parsed, func(n ast.Node) bool {
				switch n := n.(type) {
				case *ast.GoStmt:
					t.Errorf("%s starts a goroutine", file)
				case *ast.SelectorExpr:
					x, ok := n.X.(*ast.Ident)
					if ok && functions[x.Name] != nil && !slices.Contains(functions[x.Name], n.Sel.Name) {
						t.Errorf("%s uses %s.%s", file, x.Name, n.Sel.Name)
					}
				}
				return true
			})
		}
	}
}

// TestEveryPackageSaysWhatItIs in a doc.go.
func TestEveryPackageSaysWhatItIs(t *testing.T) {
	tier.Select(t, tier.Quick, tier.EitherWay)
	for path, p := range listPackages(t) {
		if len(p.GoFiles) == 0 {
			continue
		}
		if p.Doc == "" {
			t.Errorf("%s has no package comment", path)
		}
		if !slices.Contains(p.GoFiles, "doc.go") && !strings.HasPrefix(path, "fathom/test/netlab/labtest") {
			t.Errorf("%s has no doc.go", path)
		}
	}
}
