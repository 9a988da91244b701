//go:build linux

package main

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// samplePlot is one of a transfer of ten seconds, at a moment: the path shrinks after two
// and four seconds, and grows after six.
func samplePlot(until time.Duration) *plot {
	began := time.Unix(1000, 0)
	p := &plot{began: began, length: 10 * time.Second, changes: &pathChanges{}}
	p.changes.add(began.Add(2*time.Second), 1500, 1400)
	p.changes.add(began.Add(4*time.Second), 1400, 1000)
	p.changes.add(began.Add(6*time.Second), 1000, 1500)
	const every = 100 * time.Millisecond
	for at := time.Duration(0); at < until; at += every {
		plpmtu, bytes := 1500, uint64(10_000_000)
		switch {
		case at >= 6*time.Second:
		case at >= 4*time.Second:
			plpmtu, bytes = 1000, 5_000_000
		case at >= 2*time.Second:
			plpmtu = 1400
		}
		p.add(plotSample{began.Add(at), began.Add(at + every), bytes, plpmtu})
	}
	return p
}

// TestThePlotFills from left to right, with the moments at which the path has changed.
func TestThePlotFills(t *testing.T) {
	s := screen{width: margin + 1 + 40}
	for _, test := range []struct {
		until time.Duration
		want  []string
	}{
		{1900 * time.Millisecond, []string{
			"    arrives ████████",
			"            at most 800 Mbit/s",
			"plpmtu 1500 ────────",
			"       path",
		}},
		{10 * time.Second, []string{
			"    arrives ████████████████▅▅▅▅▅▅▅▅████████████████",
			"            at most 800 Mbit/s",
			"plpmtu 1500 ────────┐               ┌───────────────",
			"       1400         └───────┐       │",
			"       1000                 └───────┘",
			"       path         ▼       ▼       ▲",
			"            ▼  2.0 s  the path shrinks from 1500 to 1400 bytes",
			"            ▼  4.0 s  the path shrinks from 1400 to 1000 bytes",
			"            ▲  6.0 s  the path grows from 1000 to 1500 bytes",
		}},
	} {
		if diff := cmp.Diff(test.want, samplePlot(test.until).draw(s)); diff != "" {
			t.Errorf("after %v:\n%s", test.until, diff)
		}
	}
	longer := samplePlot(20 * time.Second).draw(s)
	if got := longer[0]; len([]rune(got)) != s.width-1 || !strings.Contains(longer[5], "    ▼   ▼   ▲") {
		t.Errorf("where it takes twice as long as expected:\n%s", strings.Join(longer, "\n"))
	}
	if got := strings.Join(samplePlot(10*time.Second).draw(screen{width: 60, colours: true}), "\n"); !strings.Contains(got, yellow+"▼"+plain) || !strings.Contains(got, green+"▲"+plain) {
		t.Errorf("without colours:\n%s", got)
	}
}

// TestAPlotIsBounded, and keeps what was seen.
func TestAPlotIsBounded(t *testing.T) {
	p := samplePlot(4 * maxPlotSamples * 100 * time.Millisecond)
	if len(p.samples) >= maxPlotSamples {
		t.Errorf("%d samples", len(p.samples))
	}
	var bytes uint64
	for _, s := range p.samples {
		bytes += s.bytes
	}
	if want := uint64(4*maxPlotSamples-20)*10_000_000 + 20*5_000_000; bytes != want {
		t.Errorf("%d bytes of %d", bytes, want)
	}
}
