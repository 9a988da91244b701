package status

import (
	"encoding/json"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"fathom/tunnel/history"
)

var update = flag.Bool("update", false, "write docs/json.md and testdata anew")

// documents are the JSON documents, and the commands that print them.
var documents = []struct {
	schema  string
	of      any
	command string
}{
	{StatusSchema, Status{}, "fathom status --json"},
	{HistorySchema, History{}, "fathom history --json"},
	{ProbeSchema, ProbeReport{}, "fathom probe PEER --json"},
	{HopsSchema, HopsReport{}, "fathom probe PEER --hops --json"},
	{DoctorSchema, Diagnosis{}, "fathom doctor --json"},
	{ErrorSchema, Failure{}, "of any of them that fails"},
}

const docsHead = `# JSON

What ` + "`--json`" + ` prints, for scripts. Each document says in ` + "`schema`" + ` what it is, and its version. A field that is added leaves the version as it is: ignore what you do
not know. A field that goes, or means something else, raises it.

A command that fails prints the document ` + "`" + ErrorSchema + "`" + ` on standard output, unless it has printed another, and the same in words on standard error. The exit codes are those
of ` + "`fathom --help`" + `. ` + "`fathom status --json`" + ` prints a list of documents, and with ` + "`-c`" + ` or ` + "`--socket`" + ` the one document itself; ` + "`fathom history --json`" + ` likewise.
With ` + "`--watch`" + ` each takes one line.

This file is made from the types in ` + "`tunnel/status`" + ` and ` + "`tunnel/history`" + `: ` + "`go test ./tunnel/status -run Documented -update`" + `.
`

// TestEveryFieldIsDocumented: docs/json.md is what the types and their comments say, and
// each field has a comment.
func TestEveryFieldIsDocumented(t *testing.T) {
	d := &docs{t: t, comments: make(map[string]string), fields: make(map[string][]*ast.Field), values: make(map[string][][2]string)}
	d.read(".", "status")
	d.read("../history", "history")
	d.text.WriteString(docsHead)
	for _, document := range documents {
		fmt.Fprintf(&d.text, "\n## `%s`\n\n`%s`.", document.schema, document.command)
		d.structure("", reflect.TypeOf(document.of))
	}
	const file = "../../docs/json.md"
	if *update {
		if err := os.WriteFile(file, []byte(d.text.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if is, err := os.ReadFile(file); err != nil {
		t.Fatal(err)
	} else if string(is) != d.text.String() {
		t.Errorf("%s is not what the types say: run go test ./tunnel/status -run Documented -update", file)
	}
}

// TestTheSamplesHaveEveryField: what TestDocumentsAreStable compares is all there is, and
// the schemas are those of the documentation.
func TestTheSamplesHaveEveryField(t *testing.T) {
	samples := map[string]any{StatusSchema: sampleStatus(), HistorySchema: sampleHistory(), ProbeSchema: sampleProbe(), HopsSchema: sampleHops(), DoctorSchema: sampleDiagnosis(), ErrorSchema: sampleFailure()}
	for _, document := range documents {
		data, err := json.Marshal(samples[document.schema])
		if err != nil {
			t.Fatal(err)
		}
		var got any
		if err := json.Unmarshal(data, &got); err != nil {
			t.Fatal(err)
		}
		if schema := got.(map[string]any)["schema"]; schema != document.schema {
			t.Errorf("the schema of %s is %v", document.schema, schema)
		}
		has := make(map[string]bool)
		collect("", got, has)
		eachField("", reflect.TypeOf(document.of), func(path string) {
			if !has[path] {
				t.Errorf("%s: the sample has no %s", document.schema, path)
			}
		})
	}
}

// collect notes the paths of all values that are not null.
func collect(path string, value any, has map[string]bool) {
	switch value := value.(type) {
	case map[string]any:
		for name, v := range value {
			collect(path+"."+name, v, has)
		}
	case []any:
		for _, v := range value {
			collect(path+"[]", v, has)
		}
	case nil:
		return
	}
	has[path] = true
}

// jsonFields calls f with the fields of a struct as JSON has them: those of embedded ones
// belong to it.
func jsonFields(of reflect.Type, f func(owner reflect.Type, field reflect.StructField, name string)) {
	for i := range of.NumField() {
		field := of.Field(i)
		if field.Anonymous {
			jsonFields(field.Type, f)
			continue
		}
		if name, _, _ := strings.Cut(field.Tag.Get("json"), ","); name != "-" {
			f(of, field, name)
		}
	}
}

// opened returns the type of what a field holds, and what brackets its path gets.
func opened(of reflect.Type) (reflect.Type, string) {
	switch of.Kind() {
	case reflect.Pointer:
		return opened(of.Elem())
	case reflect.Slice:
		inner, brackets := opened(of.Elem())
		return inner, "[]" + brackets
	}
	return of, ""
}

// isObject reports whether a type is one of ours that JSON shows as an object.
func isObject(of reflect.Type) bool {
	return of.Kind() == reflect.Struct && strings.HasPrefix(of.PkgPath(), "fathom/")
}

func eachField(path string, of reflect.Type, f func(path string)) {
	jsonFields(of, func(_ reflect.Type, field reflect.StructField, name string) {
		inner, brackets := opened(field.Type)
		f(path + "." + name)
		if isObject(inner) {
			eachField(path+"."+name+brackets, inner, f)
		}
	})
}

// docs writes the documentation from the comments of the source.
type docs struct {
	t        *testing.T
	comments map[string]string       // of types, by package and name
	fields   map[string][]*ast.Field // likewise
	values   map[string][][2]string  // the constants of a type of strings, and their comments
	text     strings.Builder
}

func (d *docs) read(dir, name string) {
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		d.t.Fatal(err)
	}
	for _, file := range files {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments)
		if err != nil {
			d.t.Fatal(err)
		}
		for _, decl := range parsed.Decls {
			if g, ok := decl.(*ast.GenDecl); ok {
				d.declaration(g, name+".")
			}
		}
	}
}

func (d *docs) declaration(g *ast.GenDecl, pkg string) {
	var comment string // of the constant before, which may be about several
	for _, spec := range g.Specs {
		switch spec := spec.(type) {
		case *ast.TypeSpec:
			d.comments[pkg+spec.Name.Name] = oneLine(g.Doc.Text())
			if s, ok := spec.Type.(*ast.StructType); ok {
				d.fields[pkg+spec.Name.Name] = s.Fields.List
			}
		case *ast.ValueSpec:
			of, ok := spec.Type.(*ast.Ident)
			if !ok || len(spec.Values) != 1 {
				continue
			}
			if text := oneLine(spec.Doc.Text()); text != "" {
				comment = strings.TrimPrefix(strings.TrimPrefix(text, spec.Names[0].Name), ": ")
			}
			if literal, ok := spec.Values[0].(*ast.BasicLit); ok && literal.Kind == token.STRING {
				value, _ := strconv.Unquote(literal.Value)
				d.values[pkg+of.Name] = append(d.values[pkg+of.Name], [2]string{value, strings.TrimSpace(comment)})
			}
		}
	}
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// structure writes the table of a struct, and those of the structs in it.
func (d *docs) structure(path string, of reflect.Type) {
	d.text.WriteString("\n\n| field | type | meaning |\n| --- | --- | --- |\n")
	var objects []func()
	jsonFields(of, func(owner reflect.Type, field reflect.StructField, name string) {
		inner, brackets := opened(field.Type)
		text := d.meaning(owner, field)
		if values := d.values[inner.String()]; len(values) > 0 {
			for _, v := range values {
				text += fmt.Sprintf(" `%s`: %s", v[0], strings.TrimSuffix(v[1], ".")+".")
			}
		}
		if text == "" && isObject(inner) {
			text = d.inJSON(inner, d.comments[inner.String()])
		}
		if text == "" {
			d.t.Errorf("%s.%s has no comment", owner, field.Name)
		}
		if strings.Contains(field.Tag.Get("json"), ",omitempty") {
			text += " (Left out where it is empty.)"
		}
		fmt.Fprintf(&d.text, "| `%s` | %s | %s |\n", name, jsonType(field.Type), strings.ReplaceAll(strings.TrimSpace(text), "|", `\|`))
		if isObject(inner) {
			objects = append(objects, func() {
				at := strings.TrimPrefix(path+"."+name+brackets, ".")
				fmt.Fprintf(&d.text, "\n### `%s`\n\n%s", at, d.inJSON(inner, d.comments[inner.String()]))
				d.structure(at, inner)
			})
		}
	})
	for _, write := range objects {
		write()
	}
}

// meaning returns the comment of a field: its own, or that of one above that names it.
func (d *docs) meaning(owner reflect.Type, field reflect.StructField) string {
	var above string
	for _, f := range d.fields[owner.String()] {
		if text := oneLine(f.Doc.Text()); text != "" {
			above = text
		}
		if len(f.Names) != 1 || f.Names[0].Name != field.Name {
			continue
		}
		if own := oneLine(f.Doc.Text() + " " + f.Comment.Text()); own != "" {
			return d.inJSON(owner, own)
		}
		if regexp.MustCompile(`\b` + field.Name + `\b`).MatchString(above) {
			return d.inJSON(owner, above)
		}
	}
	return ""
}

// inJSON writes the names of fields as JSON has them, and those of constants as their
// values.
func (d *docs) inJSON(of reflect.Type, text string) string {
	jsonFields(of, func(_ reflect.Type, field reflect.StructField, name string) {
		if len(field.Name) > 1 && field.Name != "State" && field.Name != "PTBs" {
			text = regexp.MustCompile(`\b`+field.Name+`\b`).ReplaceAllString(text, "`"+name+"`")
		}
	})
	for _, document := range documents {
		name := reflect.TypeOf(document.of).Name()
		text = strings.ReplaceAll(text, strings.TrimSuffix(strings.TrimSuffix(name, "Report"), "ure")+"Schema", "`"+document.schema+"`")
	}
	text = strings.ReplaceAll(text, "DoctorSchema", "`"+DoctorSchema+"`")
	return strings.ReplaceAll(text, "ErrorSchema", "`"+ErrorSchema+"`")
}

// jsonType names a type as JSON has it.
func jsonType(of reflect.Type) string {
	switch {
	case of.Kind() == reflect.Pointer:
		return jsonType(of.Elem()) + " or null"
	case of.Kind() == reflect.Slice:
		return "list of " + plurals[jsonType(of.Elem())]
	case of.Kind() == reflect.Map:
		return "object of " + plurals[jsonType(of.Elem())]
	case of == reflect.TypeFor[history.Seconds](), of.Kind() == reflect.Float64:
		return "number"
	case of.String() == "time.Time":
		return "time"
	case of.Kind() == reflect.Bool:
		return "boolean"
	case slices.Contains([]reflect.Kind{reflect.Int, reflect.Uint32, reflect.Uint64}, of.Kind()):
		return "integer"
	case isObject(of):
		return "object"
	}
	return "string"
}

var plurals = map[string]string{"string": "strings", "object": "objects", "integer": "integers"}
