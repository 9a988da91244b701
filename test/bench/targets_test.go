//go:build linux

package main

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

// measures reports whether a scene has such a figure.
func measures(k figureKey) bool {
	return slices.ContainsFunc(scenes, func(s scene) bool {
		return s.name == k.scene && slices.ContainsFunc(s.contenders, func(c contender) bool {
			return c.name == k.contender && slices.ContainsFunc(s.loads, func(l *load) bool {
				return l.name == k.load && c.takes(l) && k.column < len(l.columns)
			})
		})
	})
}

// TestTargetsAreMeasured: a target whose figure is never measured could not be
// missed.
func TestTargetsAreMeasured(t *testing.T) {
	for _, target := range targets {
		if !measures(target.what) {
			t.Errorf("%s: no scene measures %+v", target.text, target.what)
		}
		if target.beside.contender != "" && !measures(target.beside) {
			t.Errorf("%s: no scene measures %+v", target.text, target.beside)
		}
		if (target.atLeast == 0) == (target.atMost == 0) {
			t.Errorf("%s: wants one bound", target.text)
		}
	}
}

// TestTargetsPointTheRightWay: a lower bound for figures that should be high, an
// upper bound for those that should be low.
func TestTargetsPointTheRightWay(t *testing.T) {
	for _, target := range targets {
		for _, s := range scenes {
			for _, l := range s.loads {
				if s.name == target.what.scene && l.name == target.what.load && (l.columns[target.what.column].good == higher) != (target.atLeast != 0) {
					t.Errorf("%s: bounds %q the wrong way", target.text, l.columns[target.what.column].text)
				}
			}
		}
	}
}

// verdict judges the target whose text begins so, over the figures of fill.
func verdict(t *testing.T, text string, fill func(r *results)) (met, ok bool) {
	t.Helper()
	r := newResults(circumstances{Rounds: 3})
	fill(r)
	for _, target := range targets {
		if strings.HasPrefix(target.text, text) {
			_, _, met, ok := target.judge(r)
			return met, ok
		}
	}
	t.Fatalf("no target %q", text)
	return false, false
}

func TestTargetsAreJudged(t *testing.T) {
	cable, slow := &scenes[0], slices.IndexFunc(scenes, func(s scene) bool { return s.name == "slow link" })
	streams := func(l *load, ours, other float64) func(*results) {
		return func(r *results) {
			for round := range 3 {
				r.add(round, cable, l, aes.name, []float64{ours, 1, 1})
				r.add(round, cable, l, reference, []float64{other, 1, 1})
			}
		}
	}
	besideNebula := func(l *load, ours, other []float64) func(*results) {
		return func(r *results) {
			for round := range 3 {
				r.add(round, cable, l, aes.name, ours)
				r.add(round, cable, l, nebula.name, other)
			}
		}
	}
	delays := func(ours, other float64) func(*results) {
		return func(r *results) {
			r.add(0, &scenes[slow], pingUnderLoad, aes.name, []float64{ours, 0, 0, 0, 100})
			r.add(0, &scenes[slow], pingUnderLoad, reference, []float64{other, 0, 0, 0, 100})
		}
	}
	both := func(fills ...func(*results)) func(*results) {
		return func(r *results) {
			for _, fill := range fills {
				fill(r)
			}
		}
	}
	for name, c := range map[string]struct {
		target  string
		fill    func(*results)
		met, ok bool
	}{
		"met":                         {"one TCP stream: throughput beside wireguard-go", streams(oneStream, 12, 4), true, true},
		"missed":                      {"one TCP stream: throughput beside wireguard-go", streams(oneStream, 11, 4), false, true},
		"not measured":                {"one TCP stream: throughput beside wireguard-go", both(), false, false},
		"as one stream":               {"eight TCP streams: throughput", both(streams(oneStream, 8.4, 4), streams(eightStreams, 8, 4)), true, true},
		"worse than one stream":       {"eight TCP streams: throughput", both(streams(oneStream, 9, 4), streams(eightStreams, 8, 4)), false, true},
		"delay, equal":                {"slow link: delay", delays(10, 10), true, true},
		"delay, within a millisecond": {"slow link: delay", delays(1.9, 1), true, true},
		"delay, within 5 %":           {"slow link: delay", delays(104, 100), true, true},
		"delay, too long":             {"slow link: delay", delays(106, 100), false, true},
		"nebula, met":                 {"one TCP stream: throughput beside nebula", besideNebula(oneStream, []float64{4.8, 1, 1}, []float64{2, 1, 1}), true, true},
		"nebula, missed":              {"one TCP stream: throughput beside nebula", besideNebula(oneStream, []float64{4.7, 1, 1}, []float64{2, 1, 1}), false, true},
		"nebula, CPU a byte":          {"one TCP stream: CPU a byte beside nebula", besideNebula(oneStream, []float64{9, 1.2, 1}, []float64{1, 2.6, 1}), false, true},
		"nebula, packets":             {"UDP of 200 bytes: packets beside nebula", besideNebula(smallDatagrams, []float64{115, 6}, []float64{100, 6}), true, true},
		"nebula, CPU a packet":        {"UDP of 200 bytes: CPU a packet beside nebula", besideNebula(smallDatagrams, []float64{115, 6.1}, []float64{100, 6}), false, true},
		"nebula, latency":             {"request and response: median beside nebula", besideNebula(requestResponse, []float64{91, 100}, []float64{100, 100}), false, true},
		"nebula, only the other":      {"one TCP stream: throughput beside nebula", streams(oneStream, 12, 4), false, false},
		"failed": {"one TCP stream: throughput beside wireguard-go", func(r *results) {
			streams(oneStream, 12, 4)(r)
			for round := range 2 {
				r.fail(round, cable, oneStream, aes.name, errors.New("stalled"))
			}
		}, false, true},
		"both failed": {"one TCP stream: CPU", func(r *results) {
			for round := range 3 {
				r.fail(round, cable, oneStream, aes.name, errors.New("stalled"))
				r.fail(round, cable, oneStream, reference, errors.New("stalled"))
			}
		}, false, true},
		"the other failed": {"one TCP stream: throughput beside wireguard-go", func(r *results) {
			for round := range 3 {
				r.add(round, cable, oneStream, aes.name, []float64{1, 1, 1})
				r.fail(round, cable, oneStream, reference, errors.New("stalled"))
			}
		}, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			if met, ok := verdict(t, c.target, c.fill); met != c.met || ok != c.ok {
				t.Errorf("met %v, measured %v, want %v and %v", met, ok, c.met, c.ok)
			}
		})
	}
}

// TestNebulaIsJudgedWhereItWasGiven: without it, its targets are neither missed nor met,
// and the report says that it was not there.
func TestNebulaIsJudgedWhereItWasGiven(t *testing.T) {
	besideNebula := func(target target) bool { return target.beside.contender == nebulaName }
	without, with := newResults(circumstances{Rounds: 1}), newResults(circumstances{Rounds: 1})
	with.Nebula = "v1"
	textWithout, missedWithout := without.markdown()
	textWith, missedWith := with.markdown()
	count := 0
	for _, target := range targets {
		if !besideNebula(target) {
			continue
		}
		count++
		if strings.Contains(textWithout, target.text) || !strings.Contains(textWith, target.text) {
			t.Errorf("%s: named without nebula, or not named with it", target.text)
		}
	}
	if count == 0 || missedWith-missedWithout != count {
		t.Errorf("%d targets beside nebula, %d missed with it and %d without", count, missedWith, missedWithout)
	}
	const said = "nebula was not given"
	if !strings.Contains(textWithout, said) || strings.Contains(textWith, said) {
		t.Errorf("the report does not say right whether nebula was given")
	}
}

// TestUnmeasuredTargetsAreNamed, unless only a part was asked for.
func TestUnmeasuredTargetsAreNamed(t *testing.T) {
	for _, partial := range []bool{false, true} {
		r := newResults(circumstances{Rounds: 1})
		r.partial = partial
		text, missed := r.markdown()
		if named := strings.Contains(text, "**not measured**"); named == partial || (missed > 0) == partial {
			t.Errorf("partial %v: named %v, %d missed", partial, named, missed)
		}
	}
}
