//go:build linux

package test

import (
	"fmt"
	"testing"
	"time"

	"fathom/test/netlab"
	"fathom/test/tier"
)

// TestBundleOfUnequalLines carries packets in turn by lines of 1500 bytes and of less,
// so that a large packet sometimes passes: a bundle of DSL and LTE. TCP gets about what
// it gets where the operator has configured the smaller MTU, and the PLPMTU comes to
// rest.
func TestBundleOfUnequalLines(t *testing.T) {
	tier.Select(t, tier.Measures, tier.Long)
	const (
		share   = 0.85             // of what the configured size gets
		settles = 10 * time.Second // what the discovery has, to come to rest
		changes = 3                // of the PLPMTU in a minute
		// In a minute: one suspicion, since the next one is in doubt for as long at least, one
		// trial, since the next one waits as long, and one PTB.
		alarms = 3
		rate   = 5_000_000
	)
	window := 20 * time.Second
	if tier.Full() {
		window = time.Minute
	}
	for _, mtu := range []int{1400, 1280} {
		for _, ratio := range []int{1, 3} {
			for _, tells := range []bool{true, false} {
				t.Run(fmt.Sprintf("1500 and %d, one to %d, ICMP %v", mtu, ratio, tells), func(t *testing.T) {
					t.Parallel() // a slow line leaves the machine idle
					found := newUserPair(t, "", 10*time.Millisecond)
					known := newUserPairWith(t, "", fmt.Sprintf("max_plpmtu = %d", mtu), 10*time.Millisecond)
					for _, l := range []*userPair{found, known} {
						l.link.Update(func(c *conditions) {
							c.Rate, c.TellMTU = rate, tells
							c.Lines = []netlab.Line{{MTU: 1500, Share: 1}, {MTU: mtu, Share: ratio}}
						})
						up(t, l.a, l.b)
					}
					rivals := compete(t, 0, found, known)
					first := movedIn(settles, rivals...)
					then, alarmed := time.Now(), found.falseAlarms(t)
					moved := movedIn(window, rivals...)
					n := found.changesSince(t, then)
					now := statusOf(t, found.a).Peers[0].PMTUD
					alarmed = now.FalseAlarms - alarmed
					for _, r := range rivals {
						r.transfer.stop()
					}
					tier.Figure(t, "1500 and %d, 1:%d, ICMP %v: %.2f of what the configured size gets (%.1f Mbit/s), %.2f in the first %v; %d changes and %d false alarms in %v; PLPMTU %d",
						mtu, ratio, tells, moved[0]/moved[1], mbits(moved[1], window), first[0]/first[1], settles, n, alarmed, window, now.PLPMTU)
					if moved[0] < share*moved[1] {
						t.Errorf("%.1f Mbit/s, and %.1f with max_plpmtu = %d: %+v", mbits(moved[0], window), mbits(moved[1], window), mtu, now)
					}
					if most := max(1, int(changes*window/time.Minute)); n > most {
						t.Errorf("the PLPMTU changes %d times in %v, want at most %d: %+v", n, window, most, now)
					}
					if most := max(alarms, int(alarms*window/time.Minute)); alarmed > most {
						t.Errorf("%d false alarms in %v, want at most %d: %+v", alarmed, window, most, now)
					}
				})
			}
		}
	}
}
