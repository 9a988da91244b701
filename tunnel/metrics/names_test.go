package metrics

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// labelsOf returns the labels of each metric that the exporter has, beside those of the
// scrape.
func labelsOf(t *testing.T) map[string][]string {
	t.Helper()
	families, err := NewRegistry(sample(t)).Gather()
	check(t, err)
	names := make(map[string][]string)
	for _, f := range families {
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				names[f.GetName()] = append(names[f.GetName()], l.GetName())
			}
		}
		names[f.GetName()] = append(names[f.GetName()], "instance", "job")
	}
	return names
}

var (
	metricName = regexp.MustCompile(`\b(?:fathom|go|process)_[a-z_]+`)
	selector   = regexp.MustCompile(`\b((?:fathom|go|process)_[a-z_]+)\{([^}]*)\}`)
	matcher    = regexp.MustCompile(`([a-z_]+)\s*(?:=~|!~|!=|=)\s*"`)
	mention    = regexp.MustCompile(`\{\{\s*(?:\$labels\.)?([a-z_]+)\s*\}\}`)
)

// TestDashboardAndAlertsNameWhatThereIs: every metric in them is one of the exporter, with
// the labels that it is selected by.
func TestDashboardAndAlertsNameWhatThereIs(t *testing.T) {
	known := labelsOf(t)
	for _, file := range []string{"../../packaging/grafana/fathom.json", "../../packaging/prometheus/fathom.rules.yml", "../../packaging/prometheus/fathom.rules.test.yml"} {
		text, err := os.ReadFile(file)
		check(t, err)
		found := metricName.FindAllString(string(text), -1)
		if len(found) < 5 {
			t.Errorf("%s: names only %q", file, found)
		}
		for _, name := range found {
			if known[name] == nil {
				t.Errorf("%s: there is no %s", file, name)
			}
		}
		for _, s := range selector.FindAllStringSubmatch(strings.ReplaceAll(string(text), `\"`, `"`), -1) {
			for _, m := range matcher.FindAllStringSubmatch(s[2], -1) {
				if !slices.Contains(known[s[1]], m[1]) {
					t.Errorf("%s: %s has no label %s", file, s[1], m[1])
				}
			}
		}
	}
}

// TestDashboardLegendsNameLabelsThatThereAre of the metric that they stand beside.
func TestDashboardLegendsNameLabelsThatThereAre(t *testing.T) {
	known := labelsOf(t)
	text, err := os.ReadFile("../../packaging/grafana/fathom.json")
	check(t, err)
	var dashboard struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr, LegendFormat string }
		}
	}
	check(t, json.Unmarshal(text, &dashboard))
	targets := 0
	for _, p := range dashboard.Panels {
		for _, target := range p.Targets {
			targets++
			names := metricName.FindAllString(target.Expr, -1)
			for _, m := range mention.FindAllStringSubmatch(target.LegendFormat, -1) {
				if !slices.ContainsFunc(names, func(name string) bool { return slices.Contains(known[name], m[1]) }) {
					t.Errorf("%s: %q has no label %s", p.Title, target.Expr, m[1])
				}
			}
		}
	}
	if targets < 10 {
		t.Errorf("only %d targets", targets)
	}
}

// TestTheDocumentListsEveryMetric compares its table with the families.
func TestTheDocumentListsEveryMetric(t *testing.T) {
	text, err := os.ReadFile("../../docs/metrics.md")
	check(t, err)
	var got, want []string
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "| `fathom_") {
			got = append(got, strings.TrimSpace(line))
		}
	}
	for _, f := range tunnelFamilies {
		want = append(want, row(f.name, f.help, f.labels))
	}
	for _, f := range peerFamilies {
		want = append(want, row(f.name, f.help, append([]string{"peer"}, f.labels...)))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// row is the line of a metric in the document.
func row(name, help string, labels []string) string {
	list := ""
	if len(labels) > 0 {
		list = "`" + strings.Join(labels, "`, `") + "`"
	}
	return strings.ReplaceAll(fmt.Sprintf("| `%s` | %s | %s |", name, list, help), "|  |", "| |")
}
