package main

import (
	"fmt"
	"strings"
	"time"

	"fathom/tunnel/history"
	"fathom/tunnel/status"
)

// margin is the width of the names to the left of a time line.
const margin = 12

// shownEvents is how many events the text has below a time line. JSON has all.
const shownEvents = 30

// historyText draws the history of a peer: its time line, the events, and what they come
// to.
func historyText(h *status.History, peer string, s screen) string {
	var b strings.Builder
	from, to := h.From.Local(), h.To.Local()
	columns := history.Timeline(h.Records, peer, from, to, s.width-margin-1, h.Running)
	fmt.Fprintf(&b, "peer %s, from %s to %s, %s a column\n", peer, from.Format(dayAndTime), to.Format(dayAndTime), columns[0].To.Sub(columns[0].From).Round(time.Second))
	if !h.Running {
		fmt.Fprintf(&b, "The tunnel does not run: this is what it has left behind.\n")
	}
	row := func(name, cells, remark string) {
		fmt.Fprintf(&b, "%*s %s%s\n", margin-1, name, strings.TrimRight(cells, " "), remark)
	}
	for _, flow := range []struct {
		name  string
		rate  func(*history.Column) float64
		bytes func(*history.Column) float64
	}{
		{"sent", (*history.Column).TxRate, func(c *history.Column) float64 { return c.TxBytes }},
		{"received", (*history.Column).RxRate, func(c *history.Column) float64 { return c.RxBytes }},
	} {
		var most, sum float64
		for i := range columns {
			most, sum = max(most, flow.rate(&columns[i])), sum+flow.bytes(&columns[i])
		}
		row(flow.name, sparkline(columns, flow.rate, most), "")
		row("", fmt.Sprintf("%s in all, at most %s", byteSize(sum), bitRate(most)), "")
	}
	for _, step := range steps(columns) {
		row(step.name, step.cells, "")
	}
	row("events", markLine(columns, s), "")
	row("", timeAxis(from, to, len(columns)), "")
	events := eventsOf(h, peer, from)
	if hidden := len(events) - shownEvents; hidden > 0 {
		fmt.Fprintf(&b, "\n  %s before these: --json has all\n", plural(hidden, "event"))
		events = events[hidden:]
	} else if len(events) > 0 {
		b.WriteByte('\n')
	}
	for _, i := range events {
		r := &h.Records[i]
		m := markOf(r)
		fmt.Fprintf(&b, "  %s %s  %s\n", s.paint(m.colour, m.sign), r.At.Local().Format(dayAndSecond), eventText(h.Records, i))
	}
	fmt.Fprintf(&b, "\n%s\n", verdict(h, peer, from))
	return b.String()
}

const (
	dayAndTime   = "2 Jan 15:04"
	dayAndSecond = "2 Jan 15:04:05"
)

// eventsOf returns the numbers of the events of a peer and of the tunnel since a time.
func eventsOf(h *status.History, peer string, from time.Time) (list []int) {
	for i := range h.Records {
		if r := &h.Records[i]; r.Kind != history.Flow && (r.Peer == "" || r.Peer == peer) && !r.At.Before(from) {
			list = append(list, i)
		}
	}
	return list
}

// eventText describes an event.
func eventText(records []history.Record, i int) string {
	r := &records[i]
	lasted := time.Duration(r.Lasted)
	switch r.Kind {
	case history.Started:
		return "the tunnel started, version " + r.Version
	case history.Stopped:
		return "the tunnel ended"
	case history.ClockSet:
		if lasted < 0 {
			return "the clock was set back by " + briefly(-lasted)
		}
		return "the clock was set forward by " + briefly(lasted)
	case history.Slept:
		return "the host slept for " + briefly(lasted)
	case history.Resized:
		if r.From == 0 {
			return fmt.Sprintf("plpmtu %d found after %s", r.To, briefly(lasted))
		}
		return fmt.Sprintf("plpmtu from %d to %d: %s, settled after %s%s", r.From, r.To, r.Cause, briefly(lasted), aroundText(records, i))
	case history.Established:
		text := "up at " + r.Endpoint
		if lasted > 0 {
			text += " after an outage of " + briefly(lasted)
		}
		return text
	case history.Lost:
		return "lost: " + r.Cause
	case history.Silent:
		return "does not answer"
	case history.Answers:
		return "answers again after " + briefly(lasted)
	case history.Moved:
		text := "sent to at " + r.Endpoint
		if r.Interface != "" {
			text += " by " + r.Interface
		}
		if r.Cause != "" {
			text += ": " + r.Cause
		}
		return text
	}
	return r.Kind.String()
}

// aroundText says what flowed before and after a change of the PLPMTU.
func aroundText(records []history.Record, i int) string {
	before, after := history.Around(records, i)
	if before == nil && after == nil {
		return "; no traffic"
	}
	rate := func(r *history.Record) string {
		if r == nil || r.Lasted <= 0 {
			return "nothing"
		}
		return bitRate(float64(max(r.Traffic.TxBytes, r.Traffic.RxBytes)) / time.Duration(r.Lasted).Seconds())
	}
	return fmt.Sprintf("; traffic %s before, %s after", rate(before), rate(after))
}

// verdict says in a sentence each whether the path shrank, and whether the peer was out of
// reach.
func verdict(h *status.History, peer string, from time.Time) string {
	var shrinks, outages, smallest int
	var down time.Duration
	for _, i := range eventsOf(h, peer, from) {
		switch r := &h.Records[i]; r.Kind {
		case history.Resized:
			if r.To < r.From {
				shrinks++
				if smallest == 0 || r.To < smallest {
					smallest = r.To
				}
			}
		case history.Established, history.Answers:
			if r.Lasted > 0 {
				outages++
				down += time.Duration(r.Lasted)
			}
		}
	}
	text := "The path did not shrink."
	if shrinks > 0 {
		text = fmt.Sprintf("The path shrank %s, to %d bytes at the least.", times(shrinks), smallest)
	}
	if outages > 0 {
		return text + fmt.Sprintf(" The peer was out of reach %s, for %s in all.", times(outages), briefly(down))
	}
	return text + " No outage has ended."
}

// times returns "once", "2 times".
func times(n int) string {
	if n == 1 {
		return "once"
	}
	return plural(n, "time")
}

// briefly formats a duration to three digits or so: "62ms", "1.5s", "2h3m".
func briefly(d time.Duration) string {
	switch {
	case d >= time.Hour:
		return strings.TrimSuffix(d.Round(time.Minute).String(), "0s")
	case d >= 10*time.Second:
		d = d.Round(time.Second)
	case d >= time.Second:
		d = d.Round(100 * time.Millisecond)
	default:
		d = d.Round(time.Millisecond)
	}
	return d.String()
}

// bitRate formats a rate, given in bytes a second.
func bitRate(bytes float64) string {
	bits, units := bytes*8, []string{"bit/s", "kbit/s", "Mbit/s", "Gbit/s"}
	i := 0
	for bits >= 1000 && i < len(units)-1 {
		bits, i = bits/1000, i+1
	}
	if bits >= 100 || i == 0 {
		return fmt.Sprintf("%.0f %s", bits, units[i])
	}
	return fmt.Sprintf("%.1f %s", bits, units[i])
}
