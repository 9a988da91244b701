package tunnel

import (
	"testing"
	"time"

	"fathom/pmtud"
	"fathom/tunnel/control"
	"fathom/tunnel/udp"
)

// TestTheWorstVariantCounts: the PLPMTU is the largest size that passes in all of them,
// however the packets of a probe are lost or refused.
func TestTheWorstVariantCounts(t *testing.T) {
	const ef, trip = 46 << 2, 20 * time.Millisecond
	both := []variant{{}, {tos: ef}, {train: true}}
	doubts := 0
	for _, test := range []struct {
		name     string
		variants []variant
		passes   func(size int, as variant) bool
		refuses  func(size int, as variant) error
		want     int
	}{
		{"none differs", both, func(size int, _ variant) bool { return size <= 1400 }, nil, 1400},
		{"none is noted", nil, func(size int, _ variant) bool { return size <= 1400 }, nil, 1400},
		{"a class", both, func(size int, as variant) bool { return size <= 1400 || as.tos == 0 }, nil, 1400},
		{"a class that is not in use", []variant{{}}, func(size int, as variant) bool { return size <= 1400 || as.tos == 0 }, nil, 1500},
		{"trains", both, func(size int, as variant) bool { return size <= 1440 || !as.train }, nil, 1440},
		{"single datagrams", both, func(size int, as variant) bool { return size <= 1360 || as.train }, nil, 1360},
		{"a kernel that refuses single datagrams", both, func(int, variant) bool { return true }, func(size int, as variant) error {
			if size > 1280 && !as.train {
				return udp.ErrNoBuffers
			}
			return nil
		}, 1280},
		{"a kernel that refuses trains", both, func(int, variant) bool { return true }, func(size int, as variant) error {
			if size > 1320 && as.train {
				return udp.ErrNoBuffers
			}
			return nil
		}, 1320},
		{"a kernel that refuses while strangers send ICMP messages", both, func(int, variant) bool { return true }, func(size int, as variant) error {
			if doubts++; size > 1280 && doubts < 100 {
				return udp.ErrDoubtful
			}
			return nil
		}, 1500},
	} {
		t.Run(test.name, func(t *testing.T) {
			now := time.Unix(1000, 0)
			b := &prober{Discovery: pmtud.New(pmtud.Config{}), mask: probeRunToken, variants: test.variants}
			b.NewSA(new(pmtud.SentLog))
			b.NewEndpoint(pmtud.Endpoint{EgressMTU: 1500}, now)
			b.SeedRTT(trip)
			type ack struct {
				at    time.Time
				token uint64
			}
			var acks []ack
			for end := now.Add(4 * time.Second); now.Before(end); now = now.Add(time.Millisecond) {
				for len(acks) > 0 && !acks[0].at.After(now) {
					for range 2 { // a duplicate counts once
						if !b.ack(acks[0].token, false, now) {
							t.Fatal("an ack is not the prober's")
						}
					}
					acks = acks[1:]
				}
				b.poll(now, func(message []byte, size int, as variant) error {
					elements, err := control.Parse(nil, message)
					if err != nil || elements[0].Type != control.Probe {
						return err
					}
					if test.refuses != nil {
						if err := test.refuses(size, as); err != nil {
							return err
						}
					}
					if test.passes(size, as) {
						acks = append(acks, ack{now.Add(trip), elements[0].Token()})
					}
					return nil
				})
			}
			if b.PLPMTU() != test.want || !b.Settled() {
				t.Errorf("PLPMTU %d, settled %v, want %d", b.PLPMTU(), b.Settled(), test.want)
			}
		})
	}
}
