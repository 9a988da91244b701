package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"fathom/tunnel/history"
)

// This file draws the rows of a time line.

// bars are the heights of a sparkline.
var bars = []rune("▁▂▃▄▅▆▇█")

// sparkline draws a rate. A column without traffic has a dot, an outage a cross, and a time
// of which nothing is known a space.
func sparkline(columns []history.Column, rate func(*history.Column) float64, most float64) string {
	var b strings.Builder
	for i := range columns {
		c := &columns[i]
		switch r := rate(c); {
		case r > 0:
			b.WriteRune(bars[min(int(r/most*float64(len(bars))), len(bars)-1)])
		case c.Down && c.PLPMTU == 0:
			b.WriteRune('×')
		case c.Known:
			b.WriteRune('·')
		default:
			b.WriteRune(' ')
		}
	}
	return b.String()
}

// A step is a row of the drawing of the PLPMTU.
type step struct{ name, cells string }

// maxSteps bounds the rows. Of more sizes, those that lasted longest have a row, and the
// others are drawn at the next smaller one.
const maxSteps = 6

// steps draws the PLPMTU: a row for each size, the largest first.
func steps(columns []history.Column) (rows []step) {
	lasted := make(map[int]int)
	for i := range columns {
		if size := columns[i].PLPMTU; size > 0 {
			lasted[size]++
		}
	}
	sizes := make([]int, 0, len(lasted))
	for size := range lasted {
		sizes = append(sizes, size)
	}
	slices.Sort(sizes)
	if len(sizes) > maxSteps { // the smallest always stays
		slices.SortFunc(sizes[1:], func(a, b int) int {
			if lasted[a] != lasted[b] {
				return lasted[b] - lasted[a]
			}
			return b - a
		})
		sizes = sizes[:maxSteps]
	}
	slices.SortFunc(sizes, func(a, b int) int { return b - a })
	cells := make([][]rune, len(sizes))
	for i := range cells {
		cells[i] = []rune(strings.Repeat(" ", len(columns)))
	}
	last := -1 // the row of the column before
	for x := range columns {
		at := slices.IndexFunc(sizes, func(size int) bool { return columns[x].PLPMTU >= size })
		if columns[x].PLPMTU > 0 {
			drawStep(cells, x, last, at)
		} else {
			at = -1
		}
		last = at
	}
	for i, size := range sizes {
		name := fmt.Sprint(size)
		if i == 0 {
			name = "plpmtu " + name
		}
		rows = append(rows, step{name, string(cells[i])})
	}
	return rows
}

// drawStep draws a column in which the line comes from one row, none if that is negative,
// and is at another.
func drawStep(cells [][]rune, x, from, at int) {
	switch {
	case from < 0 || from == at:
		cells[at][x] = '─'
		return
	case from < at:
		cells[from][x], cells[at][x] = '┐', '└'
	default:
		cells[from][x], cells[at][x] = '┘', '┌'
	}
	for y := min(from, at) + 1; y < max(from, at); y++ {
		cells[y][x] = '│'
	}
}

// A mark stands for a kind of event on a time line.
type mark struct{ sign, colour, meaning string }

// marks are those that there are, the most important first: of several events in one
// column the first of them is shown.
var marks = []mark{
	{"×", red, "an outage began"},
	{"▼", yellow, "the PLPMTU fell"},
	{"▲", green, "the PLPMTU rose"},
	{"○", yellow, "the tunnel started, or ended"},
	{"●", green, "the peer is up, or answers again"},
	{"→", "", "the peer is sent to elsewhere"},
	{"◷", "", "the host slept, or its clock was set"},
}

func markTable() string {
	var b strings.Builder
	for _, m := range marks {
		fmt.Fprintf(&b, "  %s  %s\n", m.sign, m.meaning)
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// markOf returns the mark of an event.
func markOf(r *history.Record) mark {
	switch r.Kind {
	case history.Lost, history.Silent:
		return marks[0]
	case history.Resized:
		if r.To < r.From {
			return marks[1]
		}
		return marks[2]
	case history.Started, history.Stopped:
		return marks[3]
	case history.Established, history.Answers:
		return marks[4]
	case history.Moved:
		return marks[5]
	}
	return marks[6]
}

// markLine marks the events along a time line.
func markLine(columns []history.Column, s screen) string {
	var b strings.Builder
	for i := range columns {
		best := len(marks)
		for j := range columns[i].Events {
			best = min(best, slices.Index(marks, markOf(&columns[i].Events[j])))
		}
		if best == len(marks) {
			b.WriteByte(' ')
		} else {
			b.WriteString(s.paint(marks[best].colour, marks[best].sign))
		}
	}
	return b.String()
}

// timeAxis writes times below a time line, each where it is.
func timeAxis(from, to time.Time, columns int) string {
	format := "15:04"
	if to.Sub(from) > 48*time.Hour {
		format = "2 Jan"
	}
	line := []byte(strings.Repeat(" ", columns))
	every := niceStep(to.Sub(from), columns/10)
	year, month, day := from.Date()
	for at := time.Date(year, month, day, 0, 0, 0, 0, from.Location()); !at.After(to); at = at.Add(every) {
		x := int(float64(at.Sub(from)) / float64(to.Sub(from)) * float64(columns))
		if text := at.Format(format); !at.Before(from) && x+len(text) <= columns {
			copy(line[x:], text)
		}
	}
	return string(line)
}

// niceStep returns a time between two labels such as people use, so that there are no more
// than a number of labels.
func niceStep(length time.Duration, labels int) time.Duration {
	const day = 24 * time.Hour
	for _, d := range []time.Duration{
		time.Minute, 2 * time.Minute, 5 * time.Minute, 10 * time.Minute, 15 * time.Minute, 30 * time.Minute,
		time.Hour, 2 * time.Hour, 3 * time.Hour, 6 * time.Hour, 12 * time.Hour, day, 2 * day, 7 * day, 14 * day, 28 * day,
	} {
		if length/d <= time.Duration(max(labels, 1)) {
			return d
		}
	}
	return 366 * day
}
