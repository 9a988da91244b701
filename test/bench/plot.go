package main

import (
	"fmt"
	"strings"
)

// The picture: for each load of the first scene a group of bars, as shares of
// the reference.
const (
	plotWidth, plotLeft = 860, 210
	plotBar, plotGap    = 13, 26
	plotFull            = 4.0 // times the reference at the right edge
	plotTop, plotBottom = 50, 30
	plotReferenceColour = "#c0504d"
	plotTextColour      = "#333"
	plotFont            = "font-family=\"sans-serif\" font-size=\"12\""
	plotCut             = "…" // marks a bar that goes on
)

var plotColours = []string{"#bbbbbb", "#9bbb59", "#1f497d", "#4f81bd", "#8db3e2", plotReferenceColour}

// svg draws the first scene.
func (r *results) svg() string {
	s := &scenes[0]
	var body strings.Builder
	y := plotTop
	scale := float64(plotWidth-plotLeft-60) / plotFull
	for _, l := range s.loads {
		other, ok := r.median(figureKey{s.name, l.name, reference, 0})
		if !ok || other == 0 {
			continue
		}
		fmt.Fprintf(&body, "<text x=\"%d\" y=\"%d\" %s font-weight=\"bold\" fill=%q>%s</text>\n", 8, y+10, plotFont, plotTextColour, l.name)
		fmt.Fprintf(&body, "<text x=\"%d\" y=\"%d\" %s fill=%q>%s</text>\n", 8, y+26, plotFont, plotTextColour, l.columns[0])
		for i, c := range s.contenders {
			m, ok := r.median(figureKey{s.name, l.name, c.name, 0})
			if !ok {
				continue
			}
			times, mark := m/other, ""
			if times > plotFull {
				times, mark = plotFull, plotCut
			}
			fmt.Fprintf(&body, "<rect x=\"%d\" y=\"%d\" width=\"%.1f\" height=\"%d\" fill=%q><title>%s</title></rect>\n",
				plotLeft, y, times*scale, plotBar-2, plotColours[i%len(plotColours)], c.name)
			fmt.Fprintf(&body, "<text x=\"%.1f\" y=\"%d\" %s fill=%q>%s%.4g (%.2f×)</text>\n", plotLeft+times*scale+4, y+10, plotFont, plotTextColour, mark, m, m/other)
			y += plotBar
		}
		y += plotGap
	}
	var legend strings.Builder
	x := 8
	for i, c := range s.contenders {
		fmt.Fprintf(&legend, "<rect x=\"%d\" y=\"%d\" width=\"10\" height=\"10\" fill=%q/><text x=\"%d\" y=\"%d\" %s fill=%q>%s</text>\n",
			x+i%3*280, 8+i/3*18, plotColours[i%len(plotColours)], x+i%3*280+14, 17+i/3*18, plotFont, plotTextColour, c.name)
	}
	fmt.Fprintf(&body, "<line x1=\"%.1f\" x2=\"%.1f\" y1=\"%d\" y2=\"%d\" stroke=%q stroke-dasharray=\"3 3\"/>\n",
		plotLeft+scale, plotLeft+scale, plotTop-4, y-plotGap, plotReferenceColour)
	return fmt.Sprintf("<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\">\n<rect width=\"100%%\" height=\"100%%\" fill=\"white\"/>\n%s%s</svg>\n",
		plotWidth, y+plotBottom-plotGap, &legend, &body)
}
