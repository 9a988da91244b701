//go:build linux

package main

import (
	"bytes"
	"encoding/gob"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"regexp"
)

// record is what a file keeps of a long run that is measured in parts. Package gob, unlike
// JSON, knows figures that are not numbers.
type record struct {
	Of         circumstances
	Figures    []keptFigure
	Failures   []string
	InnerMTU   map[string]map[string]int
	Ciphers    map[string]string
	Congestion string
}

// keptFigure is a figure in all rounds.
type keptFigure struct {
	Scene, Load, Contender string
	Column                 int
	Rounds                 []float64
}

// recall joins the results with those of the parts before, which file keeps. Without a
// file there are none.
func (r *results) recall(file string) error {
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var kept record
	if err := gob.NewDecoder(bytes.NewReader(text)).Decode(&kept); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	if kept.Of != r.circumstances {
		return fmt.Errorf("%s is of another run:\n%v\nand this one is of\n%v", file, kept.Of, r.circumstances)
	}
	for _, f := range kept.Figures {
		r.figures[figureKey{f.Scene, f.Load, f.Contender, f.Column}] = f.Rounds
	}
	r.failures, r.congestion, r.joined = kept.Failures, kept.Congestion, true
	if kept.InnerMTU != nil {
		r.innerMTU = kept.InnerMTU
	}
	if kept.Ciphers != nil {
		r.ciphers = kept.Ciphers
	}
	return nil
}

// keep writes the results to a file, for the parts to come.
func (r *results) keep(file string) error {
	kept := record{Of: r.circumstances, Failures: r.failures, InnerMTU: r.innerMTU, Ciphers: r.ciphers, Congestion: r.congestion}
	for k, rounds := range r.figures {
		kept.Figures = append(kept.Figures, keptFigure{k.scene, k.load, k.contender, k.column, rounds})
	}
	var b bytes.Buffer
	if err := gob.NewEncoder(&b).Encode(kept); err != nil {
		return err
	}
	return os.WriteFile(file, b.Bytes(), 0o644)
}

// measuredBefore returns an error if something wanted is there already. A second figure
// could be chosen because it is the better one, and contenders that did not take turns
// are not to be compared.
func (r *results) measuredBefore(programs programs, wanted *regexp.Regexp) error {
	type table struct{ scene, load string }
	there := make(map[table]bool)
	for k := range r.figures {
		there[table{k.scene, k.load}] = true
	}
	for i := range scenes {
		s := &scenes[i]
		for _, p := range s.parts(programs, wanted) {
			for _, l := range p.loads {
				if there[table{s.name, l.name}] {
					return fmt.Errorf("%q of %q has been measured in a part before: narrow -only, or begin a new file", l.name, s.name)
				}
			}
		}
	}
	return nil
}
