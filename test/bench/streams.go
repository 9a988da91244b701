//go:build linux

package main

import (
	"math"
	"slices"
	"time"
)

// manyStreams measures n transfers at once from a to b: more than iperf3 makes.
func manyStreams(n int) func(*variant, time.Duration) ([]float64, error) {
	return func(v *variant, length time.Duration) ([]float64, error) {
		return v.carry(length, slices.Repeat([]flow{v.flow()}, n))
	}
}

// fromBothClients measures transfers from both spokes to the hub. From one spoke to the
// other nebula does without a hub.
func fromBothClients(v *variant, length time.Duration) ([]float64, error) {
	return v.carry(length, []flow{{v.b, v.a, v.hub}, {v.place.second.host, v.a, v.hub}})
}

// carry measures transfers that begin when all of them are connected.
func (v *variant) carry(length time.Duration, flows []flow) ([]float64, error) {
	var transfers []*transfer
	defer func() {
		for _, t := range transfers {
			t.stop()
		}
	}()
	for _, f := range flows {
		t, err := connect(f)
		if err != nil {
			return nil, err
		}
		transfers = append(transfers, t)
	}
	for _, t := range transfers {
		t.start()
	}
	time.Sleep(settle)
	bits, perGB, err := v.watch(length, transfers...)
	if err != nil {
		return nil, err
	}
	return v.figures(bits, perGB)
}

// watch returns the bits per second of transfers together, and the CPU seconds of the
// daemons for each GB.
func (v *variant) watch(length time.Duration, transfers ...*transfer) (bits, perGB float64, err error) {
	before, err := cpuSeconds(v.pids)
	if err != nil {
		return 0, 0, err
	}
	began := time.Now()
	time.Sleep(length)
	end := time.Now()
	after, err := cpuSeconds(v.pids)
	if err != nil {
		return 0, 0, err
	}
	for _, t := range transfers {
		bits += t.rate(began, end)
	}
	if bits == 0 {
		return 0, 0, errNothing
	}
	return bits, (after - before) / (bits / 8e9 * end.Sub(began).Seconds()), nil
}

// longStream measures one transfer with a congestion control, once it has had time to
// fill a long path.
func longStream(congestion string) *load {
	return &load{
		name:    "one TCP stream with " + congestion,
		columns: []column{{"Mbit/s", higher}, {"CPU s/GB of the daemons", lower}},
		measure: func(v *variant, length time.Duration) ([]float64, error) {
			t, err := newTransfer(v.flow(), congestion)
			if err != nil {
				return nil, err
			}
			defer t.stop()
			time.Sleep(2 * length)
			bits, perGB, err := v.watch(2*length, t)
			if len(v.pids) == 0 {
				perGB = math.NaN()
			}
			return []float64{bits / 1e6, perGB}, err
		},
	}
}
