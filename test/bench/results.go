//go:build linux

package main

import (
	"fmt"
	"math"
	"time"
)

// circumstances are what all parts of a run have in common.
type circumstances struct {
	Commit  string        // of Fathom
	Machine string        // in words, with the versions of the others
	Nebula  string        // its version; empty: it was not given
	Rounds  int           // how often each variant takes its turn
	Length  time.Duration // of one measurement
}

func (c circumstances) String() string {
	return fmt.Sprintf("commit %s\n%s\n%d rounds of %v", c.Commit, c.Machine, c.Rounds, c.Length)
}

// results are the figures of all rounds.
type results struct {
	circumstances
	partial  bool // only a part was asked for
	figures  map[figureKey][]float64
	failures []string
	innerMTU map[string]map[string]int // by scene and contender
	ciphers  map[string]string         // by contender: the implementation of AES-GCM that it names
	joined   bool                      // with those of other runs
	// congestion is TCP's congestion control in the laboratory.
	congestion string
}

// figureKey names a figure: where, what, whose, and which column.
type figureKey struct {
	scene, load, contender string
	column                 int
}

func newResults(c circumstances) *results {
	return &results{circumstances: c, figures: make(map[figureKey][]float64), innerMTU: make(map[string]map[string]int), ciphers: make(map[string]string)}
}

// rivals are the contenders that the others are compared with.
func (r *results) rivals() []string {
	if r.Nebula == "" {
		return []string{reference}
	}
	return []string{reference, nebulaName}
}

// started keeps what a contender tells of itself.
func (r *results) started(s *scene, contender string, v *variant) {
	if r.innerMTU[s.name] == nil {
		r.innerMTU[s.name] = make(map[string]int)
	}
	r.innerMTU[s.name][contender] = v.innerMTU
	if v.cipher != "" {
		r.ciphers[contender] = v.cipher
	}
}

// add keeps the figures of a round.
func (r *results) add(round int, s *scene, l *load, contender string, figures []float64) {
	for i, f := range figures {
		k := figureKey{s.name, l.name, contender, i}
		if r.figures[k] == nil {
			r.figures[k] = make([]float64, r.Rounds)
			for n := range r.figures[k] {
				r.figures[k][n] = math.NaN() // not measured
			}
		}
		r.figures[k][round] = f
	}
}

// fail keeps that a measurement failed: with the worst of figures, so that it
// counts.
func (r *results) fail(round int, s *scene, l *load, contender string, err error) {
	figures := make([]float64, len(l.columns))
	for i, c := range l.columns {
		if c.good == lower {
			figures[i] = math.Inf(1)
		}
	}
	r.add(round, s, l, contender, figures)
	r.failed(round, s.name+", "+contender+", "+l.name, err)
}

func (r *results) failed(round int, what string, err error) {
	r.failures = append(r.failures, fmt.Sprintf("round %d, %s: %v", round+1, what, err))
}

// median returns the median of the rounds; ok is false if there are none.
func (r *results) median(k figureKey) (m float64, ok bool) { return median(r.figures[k]) }

// ratio returns the median of the ratios of the rounds: a disturbance of a round
// hits both of its sides.
func (r *results) ratio(what, beside figureKey, allowed func(float64) float64) (m float64, ok bool) {
	mine, others := r.figures[what], r.figures[beside]
	var ratios []float64
	for n := range min(len(mine), len(others)) {
		ratios = append(ratios, ratio(mine[n], allowed(others[n])))
	}
	return median(ratios)
}

// ratio is 0/0 or ∞/∞ where both have failed: then the first has.
func ratio(a, b float64) float64 {
	if !math.IsNaN(b) && (a == 0 || math.IsInf(a, 1)) {
		return a
	}
	return a / b
}

func plain(other float64) float64 { return other }
