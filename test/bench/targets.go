//go:build linux

package main

import (
	"fmt"
	"slices"
	"strings"
)

// target is a bound for a figure, by itself or as a share of another.
type target struct {
	text            string
	what            figureKey
	beside          figureKey // what it is divided by; without a contender it stands for itself
	atLeast, atMost float64   // 0: no such bound
	// likeOneStream raises atLeast to the figure of one stream, less the
	// tolerance.
	likeOneStream bool
	// slack, in the unit of beside's figure, is added to that figure, or tolerance
	// of the figure if that is more: a smaller difference does not matter.
	slack float64
}

// tolerance is the share by which "no worse" may be missed, since no two
// measurements are alike.
const tolerance = 0.05

const maxMemory = 64 // MiB

// at names a figure of a contender.
func at(scene string, l *load, c contender, column int) figureKey {
	return figureKey{scene, l.name, c.name, column}
}

// beside compares a figure of two contenders.
func beside(text, scene string, l *load, c, other contender, column int) target {
	return target{text: text, what: at(scene, l, c, column), beside: at(scene, l, other, column)}
}

func (t target) least(bound float64) target { t.atLeast = bound; return t }

func (t target) most(bound float64) target { t.atMost = bound; return t }

func (t target) asOneStream() target { t.likeOneStream = true; return t }

func (t target) within(slack float64) target { t.slack = slack; return t }

var oneStreamTarget = beside("one TCP stream: throughput beside wireguard-go", "cable", oneStream, aes, wireguard, rate).least(2.8)

var targets = []target{
	oneStreamTarget,
	beside("one TCP stream: CPU a byte beside wireguard-go", "cable", oneStream, aes, wireguard, cpu).most(0.5),
	beside("one TCP stream: throughput beside nebula", "cable", oneStream, aes, nebula, rate).least(2.4),
	beside("one TCP stream: CPU a byte beside nebula", "cable", oneStream, aes, nebula, cpu).most(0.46),
	beside("one TCP stream, ChaCha20-Poly1305: throughput beside wireguard-go", "cable", oneStream, chacha, wireguard, rate).least(1.5),
	beside("one TCP stream: throughput beside the copy-only tunnel", "cable", oneStream, aes, copyOnly, rate).least(0.8),
	beside("eight TCP streams: throughput beside wireguard-go, no worse than one stream's", "cable", eightStreams, aes, wireguard, rate).least(1.8).asOneStream(),
	beside("eight TCP streams: CPU a byte beside wireguard-go", "cable", eightStreams, aes, wireguard, cpu).most(0.5),
	beside("TCP both ways: throughput beside wireguard-go, no worse than one stream's", "cable", bothWays, aes, wireguard, rate).least(1.8).asOneStream(),
	beside("TCP both ways: CPU a byte beside wireguard-go", "cable", bothWays, aes, wireguard, cpu).most(0.5),
	beside("one TCP stream: throughput beside the same with one queue", "cable", oneStream, aes, singleQueue, rate).least(0.9),
	beside("one TCP stream: throughput with one queue beside that with several", "cable", oneStream, singleQueue, aes, rate).least(0.9),
	beside("UDP of 200 bytes: packets beside wireguard-go", "cable", smallDatagrams, aes, wireguard, rate).least(2.5),
	beside("UDP of 200 bytes: packets beside nebula", "cable", smallDatagrams, aes, nebula, rate).least(1.15),
	beside("UDP of 200 bytes: CPU a packet beside nebula", "cable", smallDatagrams, aes, nebula, cpu).most(1),
	beside("offload off, one TCP stream: throughput beside wireguard-go", "cable", oneStream, offloadOff, wireguard, rate).least(1),
	beside("request and response: median beside wireguard-go", "cable", requestResponse, aes, wireguard, middle).most(1),
	beside("request and response: p99 beside wireguard-go", "cable", requestResponse, aes, wireguard, late).most(1),
	beside("request and response: median beside nebula", "cable", requestResponse, aes, nebula, middle).most(0.9),
	beside("request and response over IPv6: median beside nebula", "IPv6", requestResponse, aes, nebula, middle).most(0.9),

	beside("bare cable, one TCP stream: throughput beside wireguard-go", "bare cable", oneStream, aes, wireguard, rate).least(1),
	beside("bare cable, UDP of 200 bytes: packets beside wireguard-go", "bare cable", smallDatagrams, aes, wireguard, rate).least(1),
	beside("no UDP offloads, one TCP stream: throughput beside wireguard-go", "no UDP offloads", oneStream, aes, wireguard, rate).least(1),
	beside("no UDP offloads, UDP of 200 bytes: packets beside wireguard-go", "no UDP offloads", smallDatagrams, aes, wireguard, rate).least(1),

	beside("slow link: delay that a transfer adds, beside wireguard-go", "slow link", pingUnderLoad, aes, wireguard, added).most(1).within(1),
	beside("slow link: the transfer beside wireguard-go", "slow link", pingUnderLoad, aes, wireguard, carried).least(1 - tolerance),
	beside("slow interface: delay that a transfer adds, beside wireguard-go", "slow interface", pingUnderLoad, aes, wireguard, added).most(1).within(1),
	beside("slow interface: the transfer beside wireguard-go", "slow interface", pingUnderLoad, aes, wireguard, carried).least(1 - tolerance),
	beside("deep queue: delay that a transfer adds, beside wireguard-go", "deep queue", pingUnderLoad, aes, wireguard, added).most(1).within(1),
	beside("deep queue: the transfer beside wireguard-go", "deep queue", pingUnderLoad, aes, wireguard, carried).least(1 - tolerance),

	target{text: "beside a slow peer: share of the throughput that another keeps", what: at("hub", besideSlowPeer, aes, share)}.least(0.8),
	target{text: "beside a slow peer: how much later the pings of another are answered, p99, ms", what: at("hub", besideSlowPeer, aes, later)}.most(5),

	target{text: "1500 → 1280 in mid-transfer, with ICMP: settled throughput beside what the smaller packets cost", what: at("shrinking path", shrinkTold, aes, promised)}.least(1 - lostThen),
	target{text: "1500 → 1280 in mid-transfer, without ICMP: the same", what: at("shrinking path", shrinkUntold, aes, promised)}.least(1 - lostThen),
	target{text: "one TCP stream: MiB of a daemon", what: at("cable", oneStream, aes, memory)}.most(maxMemory),
	target{text: "eight TCP streams: MiB of a daemon", what: at("cable", eightStreams, aes, memory)}.most(maxMemory),
}

// measured returns the figure that is judged.
func (t *target) measured(r *results) (m float64, ok bool) {
	if t.beside.contender == "" {
		return r.median(t.what)
	}
	return r.ratio(t.what, t.beside, func(other float64) float64 {
		if t.slack == 0 {
			return other
		}
		return other + max(t.slack, tolerance*other)
	})
}

// judge returns the figure, the bound in words and whether it was met; ok is false
// when that cannot be told.
func (t *target) judge(r *results) (m float64, asked string, met, ok bool) {
	m, ok = t.measured(r)
	if t.atMost != 0 {
		asked, met = fmt.Sprintf("at most %.4g", t.atMost), m <= t.atMost
		if t.slack != 0 {
			asked += fmt.Sprintf(" × (its + max(%.0f %%, %.4g ms))", 100*tolerance, t.slack)
		}
		return m, asked, met, ok
	}
	bound := t.atLeast
	if one, measured := oneStreamTarget.measured(r); t.likeOneStream && measured {
		bound = max(bound, (1-tolerance)*one)
	}
	asked = fmt.Sprintf("at least %.3g", bound)
	if t.likeOneStream {
		asked += fmt.Sprintf(" = max(%.3g, %.2f × one stream's)", t.atLeast, 1-tolerance)
	}
	return m, asked, m >= bound, ok
}

// judge writes the table of the targets, and returns how many are not met. It leaves out
// those beside a rival that was not given.
func (r *results) judge(b *strings.Builder) (missed int) {
	var rows strings.Builder
	for _, t := range targets {
		if other := t.beside.contender; other == nebulaName && !slices.Contains(r.rivals(), other) {
			continue
		}
		m, asked, met, ok := t.judge(r)
		figure, verdict := number(m), "met"
		if t.beside.contender != "" {
			mine, _ := r.median(t.what)
			other, _ := r.median(t.beside)
			figure += fmt.Sprintf(" (%s beside %s)", number(mine), number(other))
		}
		switch {
		case !ok && r.partial:
			continue
		case !ok:
			figure, verdict = "–", "**not measured**"
			missed++
		case !met:
			verdict = "**missed**"
			missed++
		}
		fmt.Fprintf(&rows, "| %s | %s | %s | %s |\n", t.text, asked, figure, verdict)
	}
	if rows.Len() > 0 {
		fmt.Fprintf(b, "\n## Targets\n\nRatios are medians of the ratios of each round; in parentheses the medians of both.\n\n| | asked | measured | |\n| --- | --- | --- | --- |\n%s", &rows)
	}
	return missed
}
