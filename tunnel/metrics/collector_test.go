package metrics

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/prometheus/common/expfmt"

	"fathom/tunnel/status"
)

var update = flag.Bool("update", false, "write testdata/metrics.txt; read it before committing")

// tunnelOf is a tunnel whose status never changes.
type tunnelOf struct {
	status *status.Status
	err    error
}

func (t tunnelOf) Status(context.Context) (*status.Status, error) { return t.status, t.err }

// sample is the status in the documents of package status, in which every field is set.
func sample(t *testing.T) tunnelOf {
	t.Helper()
	text, err := os.ReadFile("../status/testdata/status.json")
	check(t, err)
	s := new(status.Status)
	check(t, json.Unmarshal(text, s))
	return tunnelOf{status: s}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// exposition is what a scrape of the tunnel's own metrics gets.
func exposition(t *testing.T, source Source) string {
	t.Helper()
	families, err := NewRegistry(source).Gather()
	check(t, err)
	var b strings.Builder
	for _, f := range families {
		if strings.HasPrefix(f.GetName(), "fathom_") {
			_, err := expfmt.MetricFamilyToText(&b, f)
			check(t, err)
		}
	}
	return b.String()
}

// TestMetricsOfAStatus compares them with those that dashboards know, byte for byte.
func TestMetricsOfAStatus(t *testing.T) {
	const file = "testdata/metrics.txt"
	got := exposition(t, sample(t))
	if *update {
		check(t, os.MkdirAll("testdata", 0o755))
		check(t, os.WriteFile(file, []byte(got), 0o644))
	}
	want, err := os.ReadFile(file)
	check(t, err)
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); diff != "" {
		t.Error(diff)
	}
}

// TestNamesFollowTheConventions of Prometheus, by its own linter.
func TestNamesFollowTheConventions(t *testing.T) {
	problems, err := testutil.GatherAndLint(NewRegistry(sample(t)))
	check(t, err)
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}

// TestAScrapeFailsWithoutAStatus, so that Prometheus shows the tunnel as down.
func TestAScrapeFailsWithoutAStatus(t *testing.T) {
	silent := errors.New("it hangs")
	if _, err := NewRegistry(tunnelOf{err: silent}).Gather(); err == nil || !strings.Contains(err.Error(), silent.Error()) {
		t.Errorf("error %v", err)
	}
}

// TestEveryStateIsKnown: of a status in any of its states one sample is 1.
func TestEveryStateIsKnown(t *testing.T) {
	for i := range max(len(status.PeerStates), len(status.PMTUDStates)) {
		source := sample(t)
		p := &source.status.Peers[0]
		source.status.Peers = source.status.Peers[:1]
		p.State, p.PMTUD.State = status.PeerStates[i%len(status.PeerStates)], status.PMTUDStates[i%len(status.PMTUDStates)]
		text := exposition(t, source)
		for _, want := range []string{
			`fathom_peer_state{peer="storage",state="` + string(p.State) + `"} 1`,
			`fathom_peer_plpmtu_discovery_state{peer="storage",state="` + p.PMTUD.State + `"} 1`,
		} {
			if !strings.Contains(text, want+"\n") {
				t.Errorf("no %s", want)
			}
		}
		if n := strings.Count(text, `state="`); n != len(status.PeerStates)+len(status.PMTUDStates) || strings.Count(text, `"} 1`+"\n") < 2 {
			t.Errorf("%d samples of states", n)
		}
	}
}
