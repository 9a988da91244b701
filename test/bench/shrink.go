//go:build linux

package main

import (
	"fmt"
	"time"
)

// The path's MTU before and after, in bytes.
const wideMTU, narrowMTU = 1500, 1280

// smallerPackets is the throughput over the narrow path as a share of that over
// the wide one, if the time goes into packets: by the TCP payload of each, which
// is 62 bytes of tunnel and 52 of inner headers less.
const smallerPackets = (narrowMTU - 62 - 52.) / (wideMTU - 62 - 52)

// lostThen is the share of the computed throughput that may be missing.
const lostThen = 0.15

var (
	shrinkTold   = shrink("with ICMP", false)
	shrinkUntold = shrink("without ICMP", true)
)

// shrink compares the throughput before and after the path shrinks. The second
// and third column are about the time after the first quarter: the last two show
// the cost of noticing.
func shrink(name string, silent bool) *load {
	columns := []column{
		{fmt.Sprintf("Gbit/s at %d", wideMTU), higher}, {fmt.Sprintf("Gbit/s at %d, settled", narrowMTU), higher},
		{fmt.Sprintf("their ratio, beside the %.2f of smaller packets", smallerPackets), higher},
		{"ms of the longest gap", lower}, {fmt.Sprintf("ms until %.0f %% of that is back", 100*(1-lostThen)), lower},
	}
	return &load{name: fmt.Sprintf("TCP over %d, then %d bytes, %s", wideMTU, narrowMTU, name), columns: columns, fresh: true,
		measure: func(v *variant, length time.Duration) ([]float64, error) {
			v.hideMTU(silent)
			defer v.hideMTU(false)
			defer v.setMTU(wideMTU)
			t, err := newTransfer(v.flow(), "")
			if err != nil {
				return nil, err
			}
			defer t.stop()
			time.Sleep(settle)
			began := time.Now()
			time.Sleep(length)
			if err := v.knows(wideMTU); err != nil {
				return nil, fmt.Errorf("before the path shrinks: %w", err)
			}
			changed := time.Now()
			v.setMTU(narrowMTU)
			time.Sleep(length * 3 / 2)
			end := time.Now()

			before, after := t.rate(began, changed), t.rate(changed.Add(length/2), end)
			if before == 0 {
				return nil, errNothing
			}
			expected := before * smallerPackets
			return []float64{
				before / 1e9, after / 1e9, after / expected,
				t.longestGap(changed, end).Seconds() * 1e3, t.backAfter(changed, end, (1-lostThen)*expected).Seconds() * 1e3,
			}, nil
		}}
}
