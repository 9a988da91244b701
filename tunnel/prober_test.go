package tunnel

import (
	"testing"
	"time"

	"fathom/pmtud"
	"fathom/tunnel/control"
	"fathom/tunnel/udp"
)

// TestProbersShareAPath: each finds its MTU from the acks of its own probes.
func TestProbersShareAPath(t *testing.T) {
	start := time.Unix(1000, 0)
	const trip = 20 * time.Millisecond
	for _, test := range []struct {
		name        string
		mtu, egress int // egress: what our own kernel refuses is larger
		runs        []uint64
	}{
		{"the tunnel's own", 1400, 1500, nil},
		{"beside a probe run", 1400, 1500, []uint64{1}},
		{"beside two", 1280, 1500, []uint64{1, 2}},
		{"the whole egress", 1500, 1500, []uint64{7}},
		{"a kernel that refuses", 1500, 1300, []uint64{1}},
	} {
		t.Run(test.name, func(t *testing.T) {
			probers := []*prober{{Discovery: pmtud.New(pmtud.Config{}), token: 1 << pmtud.IDBits, mask: tokenMask}}
			for _, run := range test.runs {
				probers = append(probers, &prober{Discovery: pmtud.New(pmtud.Config{}), token: probeRunToken | run<<pmtud.IDBits, mask: tokenMask})
			}
			for _, b := range probers {
				b.NewEndpoint(pmtud.Endpoint{EgressMTU: 1500}, start)
				b.SeedRTT(2 * trip)
			}
			type ack struct {
				at    time.Time
				token uint64
			}
			var acks []ack
			for now := start; now.Before(start.Add(20 * time.Second)); now = now.Add(time.Millisecond) {
				for len(acks) > 0 && !acks[0].at.After(now) {
					taken := 0
					for _, b := range probers {
						if b.ack(acks[0].token, false, now) {
							taken++
						}
					}
					if taken != 1 {
						t.Fatalf("%d probers take the ack of token %x", taken, acks[0].token)
					}
					acks = acks[1:]
				}
				for _, b := range probers {
					b.poll(now, func(message []byte, size int) error {
						elements, err := control.Parse(nil, message)
						if err != nil || len(elements) != 1 {
							t.Fatalf("%v, %v", elements, err)
						}
						switch {
						case elements[0].Type != control.Probe:
						case size > test.egress:
							return udp.ErrTooBig
						case size <= test.mtu:
							acks = append(acks, ack{now.Add(2 * trip), elements[0].Token()})
						}
						return nil
					})
				}
			}
			for i, b := range probers {
				largest := min(test.mtu, test.egress)
				if got := b.PLPMTU(); !b.Settled() || got > largest || got <= largest-4 {
					t.Errorf("prober %d: %d bytes, settled: %v", i, got, b.Settled())
				}
			}
		})
	}
}
