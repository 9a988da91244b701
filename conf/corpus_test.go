package conf

import (
	"io/fs"
	"strconv"
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

// FuzzDocument wants every text that the library accepts to be read as it reads
// it, if that text is TOML, and every place to be one in the text.
func FuzzDocument(f *testing.F) {
	for _, folder := range []string{"valid", "invalid"} {
		for _, text := range corpus(f, folder) {
			f.Add(text)
		}
	}
	for _, data := range invalidFiles(f) {
		f.Add(string(data))
	}
	f.Add("\xef\xbb\xbf\xef\xbb\xbfa = 1\n")
	f.Add("# \xff\na = 99999999999999999999\n")
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 1<<14 {
			return // more of the same
		}
		lines := strings.Split(strings.TrimPrefix(text, string(byteOrderMark)), "\n")
		inText := func(pos position) {
			if pos.line < 1 || pos.line > len(lines) || pos.column < 1 || pos.column > len(lines[pos.line-1])+2 {
				t.Errorf("%+v is not in a text of %d lines", pos, len(lines))
			}
		}
		refused := false
		root, partial := parseDocument([]byte(text), func(pos position, key, problem, _ string) {
			refused = true
			inText(pos)
			if problem == "" {
				t.Errorf("no problem of %q", key)
			}
		})
		if partial && !refused {
			t.Error("something is left out and not reported")
		}
		huge := false // an integer that fields refuse
		var walk func(v value)
		walk = func(v value) {
			inText(v.pos)
			if _, ok := v.data.(int64); ok {
				_, err := strconv.ParseInt(strings.ReplaceAll(v.text, "_", ""), 0, 64)
				huge = huge || err != nil
			}
			for _, item := range v.items() {
				walk(item)
			}
			if of, ok := v.data.(*table); ok {
				for _, e := range of.entries {
					inText(e.pos)
					walk(e.value)
				}
			}
		}
		walk(value{pos: root.pos, data: root})
		if refused {
			return
		}
		var want map[string]any
		if _, err := toml.Decode(text, &want); err != nil {
			if !huge {
				t.Fatalf("accepted, but %v", err)
			}
		} else if diff := sameAs(root, want); diff != "" {
			t.Errorf("-library +ours:\n%s", diff)
		}
	})
}

// TestDeepNestingIsRefused: the library takes time that is quadratic in the
// depth, a minute for the largest here.
func TestDeepNestingIsRefused(t *testing.T) {
	const long = 1 << 20
	for name, text := range map[string]string{
		"a dotted key": strings.Repeat("a.", long/4) + "a = 1\n", "a header": "[" + strings.Repeat("a.", long/4) + "a]\n",
		"an array": "a = " + strings.Repeat("[", long/4), "an inline table": "a = " + strings.Repeat("{a = ", long/8),
	} {
		t.Run(name, func(t *testing.T) {
			if _, problems := mistakes(text); len(problems) != 1 || !strings.HasSuffix(problems[0], "is nested too deeply") {
				t.Errorf("%d problems, such as %.200q", len(problems), problems)
			}
		})
	}
	allowed := maxDepth
	text := strings.Repeat("a.", allowed-1) + "a = " + strings.Repeat("[", allowed) + strings.Repeat("]", allowed) + "\n"
	if _, problems := mistakes(text); len(problems) > 0 {
		t.Errorf("%q", problems)
	}
}
