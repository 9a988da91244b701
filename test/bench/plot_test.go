//go:build linux

package main

import (
	"encoding/xml"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
)

// TestSVGIsWellFormed, whatever contenders are called. With BENCH_SVG set it is
// written there, to be looked at.
func TestSVGIsWellFormed(t *testing.T) {
	whole := scenes[0].contenders
	defer func() { scenes[0].contenders = whole }()
	scenes[0].contenders = append(whole[:len(whole):len(whole)], otherBuild(`fathom, <b>"&"`, ""))

	r := newResults(circumstances{Rounds: 1})
	for i, c := range scenes[0].contenders {
		for _, l := range scenes[0].loads {
			if c.takes(l) {
				r.add(0, &scenes[0], l, c.name, []float64{9.5 - float64(i), 0.5 + float64(i)/4, 20})
			}
		}
	}
	text := r.svg()
	if file := os.Getenv("BENCH_SVG"); file != "" {
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	bars := 0
	for decoder := xml.NewDecoder(strings.NewReader(text)); ; {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("%v in\n%s", err, text)
		}
		if e, ok := token.(xml.StartElement); ok && e.Name.Local == "rect" {
			bars++
		}
	}
	if bars < len(plotted)*3 {
		t.Errorf("%d bars", bars)
	}
}

func TestColoursAreDifferent(t *testing.T) {
	of := make(map[string]string)
	for _, s := range scenes {
		for _, c := range s.contenders {
			if other := of[c.colour]; other != "" && other != c.name {
				t.Errorf("%s and %s have one colour", c.name, other)
			}
			of[c.colour] = c.name
		}
	}
}
