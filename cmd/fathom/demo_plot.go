//go:build linux

package main

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"fathom/tunnel/history"
)

// plot draws a transfer in a terminal while it goes on: the throughput, the PLPMTU, and
// when the path changed. It fills from left to right, and is drawn closer together where
// the transfer takes longer than expected.
type plot struct {
	began   time.Time
	length  time.Duration // that is drawn at least
	samples []plotSample
	changes *pathChanges
}

// pathChanges are those of the path's MTU, as they are made. Any goroutine may use it.
type pathChanges struct {
	mu   sync.Mutex
	list []history.Record // guarded by mu
}

func (c *pathChanges) add(at time.Time, from, to int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.list = append(c.list, history.Record{At: at, Kind: history.Resized, From: from, To: to})
}

// until returns those that were made until a time.
func (c *pathChanges) until(at time.Time) []history.Record {
	c.mu.Lock()
	defer c.mu.Unlock()
	list := slices.Clone(c.list)
	return slices.DeleteFunc(list, func(r history.Record) bool { return r.At.After(at) })
}

// plotSample is what was seen since the sample before.
type plotSample struct {
	from, to time.Time
	bytes    uint64 // that have arrived
	plpmtu   int    // 0: not known
}

// maxPlotSamples bounds the samples: of more, pairs of neighbours become one.
const maxPlotSamples = 4096

// add takes a sample.
func (p *plot) add(s plotSample) {
	if p.samples = append(p.samples, s); len(p.samples) < maxPlotSamples {
		return
	}
	for i := range maxPlotSamples / 2 {
		a, b := p.samples[2*i], p.samples[2*i+1]
		p.samples[i] = plotSample{a.from, b.to, a.bytes + b.bytes, smallerSize(a.plpmtu, b.plpmtu)}
	}
	p.samples = p.samples[:maxPlotSamples/2]
}

// smallerSize returns the smaller of two sizes, of which 0 is none.
func smallerSize(a, b int) int {
	if a == 0 || b > 0 && b < a {
		return b
	}
	return a
}

// last returns when the last sample was taken.
func (p *plot) last() time.Time {
	if len(p.samples) == 0 {
		return p.began
	}
	return p.samples[len(p.samples)-1].to
}

// columns lays out the samples. What lies in several columns counts in each by its share.
func (p *plot) columns(count int, changes []history.Record) []history.Column {
	length := max(p.length, p.last().Sub(p.began), time.Second)
	at := func(i int) time.Time { return p.began.Add(length * time.Duration(i) / time.Duration(count)) }
	column := func(t time.Time) int {
		return min(max(int(t.Sub(p.began)*time.Duration(count)/length), 0), count-1)
	}
	list := make([]history.Column, count)
	for i := range list {
		list[i].From, list[i].To = at(i), at(i)
	}
	for _, s := range p.samples {
		for i := column(s.from); i <= column(s.to); i++ {
			c := &list[i]
			from, to := later(s.from, at(i)), earlier(s.to, at(i+1))
			if !from.Before(to) {
				continue
			}
			c.Known, c.To = true, to // the last column is not full yet
			c.RxBytes += float64(s.bytes) * float64(to.Sub(from)) / float64(s.to.Sub(s.from))
			c.PLPMTU = smallerSize(c.PLPMTU, s.plpmtu)
		}
	}
	for _, r := range changes {
		c := &list[column(r.At)]
		c.Events = append(c.Events, r)
	}
	return list
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// draw returns the picture, a line each.
func (p *plot) draw(s screen) []string {
	changes := p.changes.until(p.last())
	columns := p.columns(s.width-margin-1, changes)
	var lines []string
	row := func(name, cells string) {
		lines = append(lines, strings.TrimRight(fmt.Sprintf("%*s %s", margin-1, name, cells), " "))
	}
	rate := func(c *history.Column) float64 {
		if c.RxBytes == 0 {
			return 0
		}
		return c.RxRate()
	}
	most := 0.0
	for i := range columns {
		most = max(most, rate(&columns[i]))
	}
	row("arrives", sparkline(columns, rate, most))
	row("", "at most "+bitRate(most))
	for _, step := range steps(columns) {
		row(step.name, step.cells)
	}
	row("path", markLine(columns, s))
	for _, r := range changes {
		verb, m := "grows", markOf(&r)
		if r.To < r.From {
			verb = "shrinks"
		}
		row("", fmt.Sprintf("%s %4.1f s  the path %s from %d to %d bytes", s.paint(m.colour, m.sign), r.At.Sub(p.began).Seconds(), verb, r.From, r.To))
	}
	return lines
}
