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
	// What each package may import of this module, itself and those below it
	// included.
	may := map[string][]string{
		"esp": {"esp"}, "crypto": {"crypto"}, "conf": {"conf"}, "pmtud": {"pmtud"},
		"tunnel":              {"tunnel", "esp", "crypto", "conf", "pmtud"},
		"tunnel/control":      {},
		"tunnel/inner":        {},
		"tunnel/udp":          {},
		"tunnel/tun":          {"tunnel/inner"},
		"tunnel/host":         {},
		"tunnel/status":       {},
		"cmd/fathom":          {"tunnel", "conf", "crypto", "test/netlab"},
		"test/netlab":         {},
		"test/netlab/labtest": {"test/netlab", "test/tier"},
		"test/tier":           {},
	}
	for path, p := range listPackages(t) {
		name := strings.TrimPrefix(path, "fathom/")
		allowed, ok := may[name]
		if !ok && !strings.HasPrefix(name, "test") {
			t.Errorf("%s: a package that the architecture does not know", name)
		}
		if !ok {
			continue // of the tests, which stand on everything
		}
		for _, i := range p.Imports {
			i, ours := strings.CutPrefix(i, "fathom/")
			if ours && !slices.ContainsFunc(allowed, func(a string) bool { return i == a || strings.HasPrefix(i, a+"/") }) {
				t.Errorf("%s must not import %s", name, i)
			}
		}
	}
}

// TestCoresArePure: no I/O on a network, no goroutine, no clock and no
// randomness of their own.
func TestCoresArePure(t *testing.T) {
	tier.Select(t, tier.Quick, tier.EitherWay)
	packages := listPackages(t)
	impure := []string{"crypto/rand", "math/rand", "math/rand/v2", "log", "log/slog", "syscall", "os/exec", "net/http"}
	clock := []string{"Now", "Since", "Until", "Sleep", "After", "AfterFunc", "NewTimer", "NewTicker", "Tick"}
	for name, exempt := range map[string][]string{
		"esp": nil, "pmtud": nil, "tunnel/control": nil, "tunnel/inner": nil,
		"crypto": {"log/slog"},            // keys hide themselves from it
		"conf":   {"log/slog", "syscall"}, // a log level is a setting; who owns a key file
	} {
		p, ok := packages["fathom/"+name]
		if !ok {
			continue
		}
		for _, i := range p.Imports {
			if slices.Contains(impure, i) && !slices.Contains(exempt, i) || strings.HasPrefix(i, "golang.org/x/sys/") && name != "conf" {
				t.Errorf("%s imports %s", name, i)
			}
		}
		for _, file := range p.GoFiles {
			parsed, err := parser.ParseFile(token.NewFileSet(), filepath.Join(p.Dir, file), nil, 0)
			check(t, err)
			ast.Inspect(parsed, func(n ast.Node) bool {
				switch n := n.(type) {
				case *ast.GoStmt:
					t.Errorf("%s/%s starts a goroutine", name, file)
				case *ast.SelectorExpr:
					if x, ok := n.X.(*ast.Ident); ok && x.Name == "time" && slices.Contains(clock, n.Sel.Name) {
						t.Errorf("%s/%s calls time.%s", name, file, n.Sel.Name)
					}
					if x, ok := n.X.(*ast.Ident); ok && x.Name == "net" && strings.HasPrefix(n.Sel.Name, "Dial") || ok && x.Name == "net" && strings.HasPrefix(n.Sel.Name, "Listen") {
						t.Errorf("%s/%s calls net.%s", name, file, n.Sel.Name)
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
