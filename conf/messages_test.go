package conf

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// notOfMistakes are texts of more than one word that are in no message about
// a mistake in a file, and why.
var notOfMistakes = map[string]string{
	"no configuration file":                          "there is no file that could have a mistake: TestLoad",
	"read configuration: %w":                         "an error of the file system: TestLoad",
	"read configuration: %s is larger than %d bytes": "the file is not looked at: TestLoad",
	`"the peer's, as fathom pubkey prints it"`:       "an example in the schema, which `is missing` shows",
	`["aes-256-gcm", "chacha20-poly1305"]`:           "a default",
	"is out of range for int64":                      "is in a message of the library",
	"x = ":                                           "TOML around a value of the schema",
}

var verb = regexp.MustCompile(`%(04o|[a-z])`)

var word = regexp.MustCompile(`[a-z]`)

// TestEveryMessageIsExpectedSomewhere looks for each text in the code that is
// part of a message among the expectations of testdata/invalid, so that no kind
// of mistake can be added without a file that shows it.
func TestEveryMessageIsExpectedSomewhere(t *testing.T) {
	var expected []string
	paths, err := filepath.Glob("testdata/invalid/*.txt")
	check(t, err)
	for _, path := range paths {
		data, err := os.ReadFile(path)
		check(t, err)
		expected = append(expected, strings.Split(string(data), "\n")...)
	}
	found := 0
	for _, text := range slices.AppendSeq(texts(t), maps.Values(counterparts())) {
		ofLibrary := slices.ContainsFunc(plainMessages, func(m struct{ parts, plain string }) bool { return m.parts == text })
		if notOfMistakes[text] != "" || ofLibrary || !word.MatchString(text) {
			continue
		}
		pieces := verb.Split(text, -1)
		for i := range pieces {
			pieces[i] = regexp.QuoteMeta(pieces[i])
		}
		pattern := regexp.MustCompile(strings.Join(pieces, ".*"))
		seen := false
		for _, line := range expected {
			if seen = pattern.MatchString(line); seen {
				break
			}
		}
		if found++; !seen {
			t.Errorf("no file in testdata/invalid has a mistake that says %q", text)
		}
	}
	if least := 100; found < least {
		t.Errorf("only %d texts in the code: the test looks in the wrong place", found)
	}
}

// texts returns the string literals of more than one word in the package, and
// all that say why something is no key.
func texts(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("*.go")
	check(t, err)
	var list []string
	add := func(e ast.Expr) {
		if lit, ok := e.(*ast.BasicLit); ok && lit.Kind == token.STRING {
			s, err := strconv.Unquote(lit.Value)
			check(t, err)
			list = append(list, s)
		}
	}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		check(t, err)
		ast.Inspect(parsed, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.CallExpr:
				name := ""
				switch f := n.Fun.(type) {
				case *ast.Ident:
					name = f.Name
				case *ast.SelectorExpr:
					name = f.Sel.Name
				}
				switch name {
				case "MustCompile":
					return false
				case "New", "fail":
					for _, arg := range n.Args {
						add(arg)
					}
				}
			case *ast.BasicLit:
				if strings.Contains(strings.TrimSpace(n.Value), " ") {
					add(n)
				}
			}
			return true
		})
	}
	return list
}
