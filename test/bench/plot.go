//go:build linux

package main

import (
	"encoding/xml"
	"fmt"
	"strings"
)

// The picture: figures of the first scene, a bar for each contender, as shares
// of the reference. It has a ground of its own, so that it can be read on any
// page.
const (
	plotWidth  = 900
	plotLeft   = 270 // where bars begin; their names are before it
	plotRight  = 150 // for the figures behind bars
	plotMargin = 24
	plotBar    = 18
	plotHead   = 24 // above a group
	plotGap    = 16 // below it
	plotFull   = 4.5
	plotFoot   = 20

	plotInk, plotFaint = "#24292f", "#57606a"
)

var plotted = []struct {
	load   *load
	column int
}{
	{oneStream, rate}, {oneStream, cpu}, {eightStreams, rate}, {bothWays, rate},
	{smallDatagrams, rate}, {requestResponse, middle}, {requestResponse, late},
}

// drawing is the body of an SVG, from top to bottom.
type drawing struct {
	strings.Builder
	y int
}

func (d *drawing) text(x float64, y int, attributes, text string) {
	fmt.Fprintf(d, "<text x=\"%.1f\" y=\"%d\" %s>", x, y, attributes)
	xml.EscapeText(d, []byte(text))
	d.WriteString("</text>\n")
}

// svg draws the first scene.
func (r *results) svg() string {
	s := &scenes[0]
	d := &drawing{y: plotMargin + 8}
	d.text(plotMargin, d.y, `font-size="19" font-weight="bold"`, fmt.Sprintf("Fathom beside %s, over a cable of %d bytes", strings.Join(r.rivals(), " and "), wideMTU))
	d.y += 22
	d.text(plotMargin, d.y, fmt.Sprintf("fill=%q", plotFaint), fmt.Sprintf("commit %s, Linux %s, %s; medians of %d rounds, × is the ratio to wireguard-go", r.Commit, kernel(), cpuModel(), r.Rounds))
	d.y += plotGap
	for _, p := range plotted {
		r.group(d, s, p.load, p.column)
	}
	d.text(plotLeft+plotScale, d.y+plotFoot-8, fmt.Sprintf("text-anchor=\"middle\" fill=%q", wireguard.colour), "as wireguard-go")
	height := d.y + plotFoot + plotMargin/2
	return fmt.Sprintf("<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" width=\"%d\" height=\"%d\" font-family=\"sans-serif\" font-size=\"13\" fill=%q>\n"+
		"<rect x=\"0.5\" y=\"0.5\" width=\"%d\" height=\"%d\" rx=\"8\" fill=\"white\" stroke=\"#d0d7de\"/>\n%s</svg>\n",
		plotWidth, height, plotWidth, height, plotInk, plotWidth-1, height-1, d)
}

// plotHalo keeps a figure readable on the line of the reference.
const plotHalo = `stroke="white" stroke-width="4" paint-order="stroke"`

// plotScale is the length of the reference's bar.
const plotScale = (plotWidth - plotLeft - plotRight) / plotFull

// group draws one figure of all contenders.
func (r *results) group(d *drawing, s *scene, l *load, column int) {
	reference := figureKey{s.name, l.name, reference, column}
	if _, ok := r.median(reference); !ok {
		return
	}
	d.y += plotHead
	better := "longer is better"
	if l.columns[column].good == lower {
		better = "shorter is better"
	}
	fmt.Fprintf(d, "<text x=\"%d\" y=\"%d\"><tspan font-weight=\"bold\">", plotMargin, d.y-7)
	xml.EscapeText(d, []byte(title(l.name)))
	d.WriteString("</tspan>, ")
	xml.EscapeText(d, []byte(l.columns[column].text))
	fmt.Fprintf(d, " <tspan fill=%q>(%s)</tspan></text>\n", plotFaint, better)
	const one = plotLeft + plotScale
	for _, c := range s.contenders {
		k := figureKey{s.name, l.name, c.name, column}
		m, ok := r.median(k)
		share, compared := r.ratio(k, reference, plain)
		if !ok || !compared {
			continue
		}
		length, label := share*plotScale, fmt.Sprintf("%s (%s)", number(m), times(share))
		if share > plotFull {
			length, label = plotFull*plotScale, "▸ "+label // it goes on
		}
		fmt.Fprintf(d, "<line x1=\"%.1f\" x2=\"%.1f\" y1=\"%d\" y2=\"%d\" stroke=%q stroke-dasharray=\"3 3\"/>\n", one, one, d.y, d.y+plotBar, wireguard.colour)
		d.text(plotLeft-8, d.y+13, `text-anchor="end"`, c.name)
		fmt.Fprintf(d, "<rect x=\"%d\" y=\"%d\" width=\"%.1f\" height=\"%d\" fill=%q/>\n", plotLeft, d.y+2, length, plotBar-4, c.colour)
		d.text(plotLeft+length+5, d.y+13, fmt.Sprintf("fill=%q %s", plotFaint, plotHalo), label)
		d.y += plotBar
	}
	d.y += plotGap
}
