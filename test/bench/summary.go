//go:build linux

package main

import (
	"fmt"
	"strings"
)

// summarised are the figures that the README shows.
var summarised = []struct {
	text string
	of   figureKey
}{
	{"one TCP stream, Gbit/s", at("cable", oneStream, aes, rate)},
	{"its CPU time, both daemons, s/GB", at("cable", oneStream, aes, cpu)},
	{"eight TCP streams, Gbit/s", at("cable", eightStreams, aes, rate)},
	{"512 TCP streams, Gbit/s", at("many connections", streams512, aes, rate)},
	{"connections of 10 kB a second", at("many connections", shortConnections, aes, rate)},
	{"UDP of 200 bytes, 1000 packets a second", at("cable", smallDatagrams, aes, rate)},
	{"one byte there and back, median, µs", at("cable", requestResponse, aes, middle)},
	{"the same over IPv6, µs", at("IPv6", requestResponse, aes, middle)},
	{"one TCP stream in packets of 9000 bytes, Gbit/s", at("jumbo", oneStream, aes, rate)},
	{"one TCP stream with BBR over 50 ms of 1 Gbit/s, Mbit/s", at("long path", longBBR, aes, rate)},
	{"how much later an echo is beside a transfer through 100 Mbit/s with a deep queue, ms", at("deep queue", pingUnderLoad, aes, added)},
	{"one TCP stream after the path has shrunk from 1500 to 1280 bytes, Gbit/s", at("shrinking path", shrinkTold, aes, settled)},
	{"memory of a daemon, MiB", at("cable", oneStream, aes, memory)},
}

// summary is a table of the figures that the README shows, beside those of each rival and
// with the ratios to them. It is empty where none was measured.
func (r *results) summary() string {
	var rows strings.Builder
	for _, s := range summarised {
		m, ok := r.median(s.of)
		if !ok {
			continue
		}
		fmt.Fprintf(&rows, "| %s | %s |", s.text, number(m))
		for _, rival := range r.rivals() {
			other, cell := s.of, "–"
			other.contender = rival
			if m, ok := r.median(other); ok {
				cell = number(m)
			}
			fmt.Fprintf(&rows, " %s |", cell)
		}
		fmt.Fprintf(&rows, " %s |\n", strings.Trim(r.ratios(s.of, m), " ()"))
	}
	if rows.Len() == 0 {
		return ""
	}
	return fmt.Sprintf("\n%s\n\n| | Fathom, AES-256-GCM | %s | ratio |\n|%s\n%s",
		summaryTitle, strings.Join(r.rivals(), " | "), strings.Repeat(" --- |", len(r.rivals())+3), &rows)
}

const summaryTitle = "## In short"
