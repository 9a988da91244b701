package main

import (
	"fmt"
	"strings"
)

// target is what is asked of a figure, as a share of another.
type target struct {
	text            string
	what            figureKey
	beside          figureKey // what it is divided by; without a contender it stands for itself
	atLeast, atMost float64   // 0: no such bound
}

const (
	aes    = "fathom, aes-256-gcm"
	chacha = "fathom, chacha20-poly1305"
	bare   = "fathom, copy only"
)

// versus compares one column of two contenders.
func versus(text, scene string, l load, contender, other string, column int, atLeast, atMost float64) target {
	return target{text, figureKey{scene, l.name, contender, column}, figureKey{scene, l.name, other, column}, atLeast, atMost}
}

var targets = []target{
	versus("one TCP stream, throughput beside wireguard-go", "cable", oneStream, aes, reference, 0, 1.8, 0),
	versus("one TCP stream, CPU beside wireguard-go", "cable", oneStream, aes, reference, 1, 0, 0.5),
	versus("one TCP stream with ChaCha20-Poly1305, throughput beside wireguard-go", "cable", oneStream, chacha, reference, 0, 1.5, 0),
	versus("one TCP stream, throughput beside the copy-only tunnel", "cable", oneStream, aes, bare, 0, 0.65, 0),
	versus("eight TCP streams, throughput beside wireguard-go", "cable", eightStreams, aes, reference, 0, 1.8, 0),
	versus("TCP both ways, throughput beside wireguard-go", "cable", bothWays, aes, reference, 0, 1.8, 0),
	versus("UDP of 200 bytes, packets beside wireguard-go", "cable", smallDatagrams, aes, reference, 0, 2.5, 0),
	versus("request and response, median beside wireguard-go", "cable", requestResponse, aes, reference, 0, 0, 1),
	versus("request and response, p99 beside wireguard-go", "cable", requestResponse, aes, reference, 1, 0, 1),
	versus("bare cable, one TCP stream, throughput beside wireguard-go", "bare cable", oneStream, aes, reference, 0, 1, 0),
	versus("bare cable, UDP of 200 bytes, packets beside wireguard-go", "bare cable", smallDatagrams, aes, reference, 0, 1, 0),
	versus("slow link, delay that a transfer adds, beside wireguard-go", "slow link", pingUnderLoad, aes, reference, 0, 0, 1),
	versus("slow interface, delay that a transfer adds, beside wireguard-go", "slow interface", pingUnderLoad, aes, reference, 0, 0, 1),
	{text: "1500 → 1280 in mid-transfer, throughput beside what the smaller packets cost", what: figureKey{"shrinking path", "TCP over 1500, then 1280 bytes, with ICMP", aes, 2}, atLeast: 0.85 * smallerPackets},
	{text: "the same without ICMP", what: figureKey{"shrinking path", "TCP over 1500, then 1280 bytes, without ICMP", aes, 2}, atLeast: 0.85 * smallerPackets},
	{text: "memory of a daemon under one stream, MiB", what: figureKey{"cable", oneStream.name, aes, 2}, atMost: 64},
}

// smallerPackets is the throughput over 1280 bytes as a share of that over
// 1500, if the time goes into packets: by the TCP payload of each, which is 62
// bytes of tunnel and 52 of inner headers less.
const smallerPackets = (1280. - 62 - 52) / (1500. - 62 - 52)

// judge writes the table of the targets that were measured.
func (r *results) judge(b *strings.Builder) {
	var rows strings.Builder
	for _, t := range targets {
		m, ok := r.median(t.what)
		if t.beside.contender != "" {
			other, measured := r.median(t.beside)
			ok = ok && measured && other != 0
			m /= other
		}
		if !ok {
			continue
		}
		bound, met := fmt.Sprintf("at least %.2f", t.atLeast), m >= t.atLeast
		if t.atMost != 0 {
			bound, met = fmt.Sprintf("at most %.2f", t.atMost), m <= t.atMost
		}
		verdict := "met"
		if !met {
			verdict = "**missed**"
		}
		fmt.Fprintf(&rows, "| %s | %s | %.2f | %s |\n", t.text, bound, m, verdict)
	}
	if rows.Len() > 0 {
		fmt.Fprintf(b, "\n## Targets\n\n| | target | measured | |\n| --- | --- | --- | --- |\n%s", &rows)
	}
}
