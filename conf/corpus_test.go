package conf

import (
	"io/fs"
	"strings"
	"testing"

	"github.com/BurntSushi/toml"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	tomltest "github.com/toml-lang/toml-test/v2"
)

// corpus returns the documents of toml-test, which are valid or not.
func corpus(t testing.TB, folder string) map[string]string {
	t.Helper()
	files, all := make(map[string]string), tomltest.TestCases()
	err := fs.WalkDir(all, folder, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".toml") {
			return err
		}
		data, err := fs.ReadFile(all, path)
		files[path] = string(data)
		return err
	})
	if err != nil || len(files) < 100 {
		t.Fatalf("%d documents in %s, error %v", len(files), folder, err)
	}
	return files
}

// mistakes returns what parseDocument reports.
func mistakes(text string) (root *table, problems []string) {
	root, _ = parseDocument([]byte(text), func(_ position, key, problem, _ string) {
		problems = append(problems, key+": "+problem)
	})
	return root, problems
}

// plain returns a value as the library decodes it.
func plain(v value) any {
	switch data := v.data.(type) {
	case []value:
		list := make([]any, len(data))
		for i, item := range data {
			list[i] = plain(item)
		}
		return list
	case *table:
		m := make(map[string]any)
		for _, e := range data.entries {
			m[e.key] = plain(e.value)
		}
		return m
	}
	return v.data
}

// sameAs compares a document with what the library decodes on its own, which
// makes a type of its own for arrays of tables with headers.
func sameAs(root *table, want map[string]any) string {
	var lists func(v any) any
	lists = func(v any) any {
		switch v := v.(type) {
		case []map[string]any:
			all := make([]any, len(v))
			for i, m := range v {
				all[i] = lists(m)
			}
			return all
		case []any:
			for i := range v {
				v[i] = lists(v[i])
			}
		case map[string]any:
			for k := range v {
				v[k] = lists(v[k])
			}
		}
		return v
	}
	return cmp.Diff(lists(want), plain(value{data: root}), cmpopts.EquateNaNs(), cmpopts.EquateEmpty())
}

// TestValidTOMLIsRead compares every valid document of toml-test, by TOML 1.0 and
// 1.1, with what the library decodes of it as a whole.
func TestValidTOMLIsRead(t *testing.T) {
	for path, text := range corpus(t, "valid") {
		t.Run(path, func(t *testing.T) {
			root, problems := mistakes(text)
			if len(problems) > 0 {
				t.Fatalf("%q", problems)
			}
			var want map[string]any
			if _, err := toml.Decode(text, &want); err != nil {
				t.Fatal(err)
			}
			if diff := sameAs(root, want); diff != "" {
				t.Errorf("-library +ours:\n%s", diff)
			}
		})
	}
}

// TestInvalidTOMLIsRefused, each document that toml-test has for TOML 1.1.
func TestInvalidTOMLIsRefused(t *testing.T) {
	all := corpus(t, "invalid")
	list, err := fs.ReadFile(tomltest.TestCases(), "files-toml-1.1.0")
	check(t, err)
	for path := range strings.Lines(string(list)) {
		if path == "invalid/datetime/offset-overflow-minute.toml\n" {
			continue // the library takes it, and no key of Fathom is a date
		}
		if text, ok := all[strings.TrimSpace(path)]; ok {
			if _, problems := mistakes(text); len(problems) == 0 {
				t.Errorf("%s is accepted:\n%s", path, text)
			}
		}
	}
}
