//go:build linux

package test

import (
	"testing"
	"time"

	"fathom/test/netlab"
	"fathom/test/tier"
)

// expedited is the TOS octet of Expedited Forwarding (RFC 3246).
const expedited = 46 << 2

// marksAbove drops packets to b that are marked with a DSCP and longer than the given
// length.
func marksAbove(length int) netlab.Filter {
	return func(dir netlab.Dir, packet []byte) netlab.Verdict {
		if dir == netlab.AtoB && len(packet) > length && packet[0]>>4 == 4 && packet[1]>>2 != 0 {
			return netlab.Drop
		}
		return netlab.Pass
	}
}

// TestFilterByDSCP: something on the way drops what is marked and longer than 1400
// bytes. Marked TCP gets about as much as other TCP, from its first byte on.
func TestFilterByDSCP(t *testing.T) {
	tier.Select(t, tier.Measures)
	t.Parallel() // a slow line leaves the machine idle
	const (
		share  = 0.85
		limit  = 1400
		window = 15 * time.Second
	)
	pairs := make([]*userPair, 2)
	for i := range pairs {
		l := newUserPair(t, "", 10*time.Millisecond)
		l.link.Update(func(c *conditions) { c.Rate = 10_000_000 })
		l.link.SetFilter(marksAbove(limit))
		up(t, l.a, l.b)
		exact(t, l.a, 1500)
		pairs[i] = l
	}
	rivals := append(compete(t, expedited, pairs[0]), compete(t, 0, pairs[1])...)
	moved := movedIn(window, rivals...)
	marked, other := statusOf(t, pairs[0].a).Peers[0].PMTUD, statusOf(t, pairs[1].a).Peers[0].PMTUD
	for _, r := range rivals {
		r.transfer.stop()
	}
	tier.Figure(t, "a filter by DSCP: marked TCP gets %.2f of what other TCP gets (%.1f Mbit/s); PLPMTU %d and %d", moved[0]/moved[1], mbits(moved[1], window), marked.PLPMTU, other.PLPMTU)
	if moved[0] < share*moved[1] {
		t.Errorf("%.1f Mbit/s with EF, %.1f without: %+v", mbits(moved[0], window), mbits(moved[1], window), marked)
	}
	if other.PLPMTU != 1500 {
		t.Errorf("where nothing is marked the PLPMTU is %d", other.PLPMTU)
	}
}

// TestFilterByDSCPAmongOtherData: the marked TCP is a small part of what is sent. That
// the other data arrives does not hide its loss.
func TestFilterByDSCPAmongOtherData(t *testing.T) {
	tier.Select(t)
	t.Parallel()
	l := newUserPair(t, "", 10*time.Millisecond)
	l.link.Update(func(c *conditions) { c.Rate = 50_000_000 })
	l.link.SetFilter(marksAbove(1400))
	up(t, l.a, l.b)
	exact(t, l.a, 1500)
	other := compete(t, 0, l)[0].transfer
	other.more(4 << 20)
	client, server := connect(t, l.A, l.B, innerB4)
	tosOf(t, client, expedited)
	marked := transferOver(t, paced{client, 256 << 10}, server)
	marked.more(1 << 20) // it stalls for good, or it does not
	other.more(4 << 20)
	if got := statusOf(t, l.a).Peers[0].PMTUD; got.PLPMTU > 1400 {
		t.Errorf("%+v", got)
	}
	marked.stop()
	other.stop()
}
