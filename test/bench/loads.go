//go:build linux

package main

import (
	"errors"
	"math"
	"time"
)

// load is something to measure.
type load struct {
	name    string
	columns []column
	fresh   bool // wants a variant that has carried nothing yet
	// measure loads a variant for about length, and returns a figure for each
	// column: NaN for a figure that the variant does not have.
	measure func(v *variant, length time.Duration) (figures []float64, err error)
}

// column is one figure of a load.
type column struct {
	text string // what, in which unit
	good direction
}

type direction int

const (
	higher direction = iota
	lower
)

// Columns that targets name.
const (
	rate, cpu, memory = 0, 1, 2 // of streams and datagrams
	middle, late      = 0, 1    // of round trips
	added, carried    = 0, 4    // of pings under load
	settled, promised = 1, 2    // of a shrinking path
)

var throughputColumns = []column{{"Gbit/s", higher}, {"CPU s/GB of the daemons", lower}, {"MiB of the larger daemon, peak so far", lower}}

var (
	oneStream    = &load{name: "one TCP stream", columns: throughputColumns, measure: throughput()}
	eightStreams = &load{name: "eight TCP streams", columns: throughputColumns, measure: throughput("--parallel", "8")}
	streams64    = &load{name: "64 TCP streams", columns: throughputColumns, measure: manyStreams(64)}
	streams512   = &load{name: "512 TCP streams", columns: throughputColumns, measure: manyStreams(512)}
	bothClients  = &load{name: "a TCP stream from each client to the hub, at once", columns: throughputColumns, measure: fromBothClients}
	bothWays     = &load{name: "TCP both ways at once", columns: throughputColumns, measure: throughput("--bidir")}

	smallDatagrams = &load{name: "UDP of 200 bytes", columns: []column{{"1000 packets/s received", higher}, {"CPU s per million", lower}}, measure: datagrams}

	requestResponse = &load{name: "request and response of 1 byte", columns: []column{{"µs, median", lower}, {"µs, p99", lower}}, measure: roundTrips}

	longCUBIC = longStream("cubic")
	longBBR   = longStream("bbr")

	pingUnderLoad = &load{name: "inner ping under a transfer", columns: []column{
		{"ms added, median", lower}, {"ms added, p99", lower}, {"ms idle", lower}, {"% of pings lost", lower}, {"Mbit/s of the transfer", higher},
	}, measure: underLoad}
)

// throughput measures TCP by iperf3 with more arguments.
func throughput(more ...string) func(*variant, time.Duration) ([]float64, error) {
	return func(v *variant, length time.Duration) ([]float64, error) {
		r, used, err := measured(v, length, more...)
		if err != nil {
			return nil, err
		}
		bits := r.End.Received.BitsPerSecond + r.End.ReceivedReverse.BitsPerSecond
		gigabytes := (r.End.Received.Bytes + r.End.ReceivedReverse.Bytes) / 1e9
		if gigabytes == 0 {
			return nil, errNothing
		}
		return v.figures(bits, used/gigabytes)
	}
}

// figures are those of throughputColumns.
func (v *variant) figures(bitsPerSecond, secondsPerGB float64) ([]float64, error) {
	if len(v.pids) == 0 {
		return []float64{bitsPerSecond / 1e9, math.NaN(), math.NaN()}, nil
	}
	peak, err := peakMemory(v.pids)
	return []float64{bitsPerSecond / 1e9, secondsPerGB, peak}, err
}

// datagrams sends more datagrams than can arrive, and counts the arrivals.
func datagrams(v *variant, length time.Duration) ([]float64, error) {
	r, used, err := measured(v, length, "--udp", "--bitrate", "0", "--length", "200")
	if err != nil {
		return nil, err
	}
	received := r.End.UDP.Packets - r.End.UDP.LostPackets
	if received <= 0 || r.End.UDP.Seconds == 0 {
		return nil, errNothing
	}
	if len(v.pids) == 0 {
		used = math.NaN()
	}
	return []float64{received / r.End.UDP.Seconds / 1e3, used / received * 1e6}, nil
}

var errNothing = errors.New("nothing arrives")

// measured runs iperf3, and tells what CPU time the daemons used meanwhile.
func measured(v *variant, length time.Duration, more ...string) (r iperfResult, used float64, err error) {
	before, err := cpuSeconds(v.pids)
	if err != nil {
		return r, 0, err
	}
	if r, err = iperf(v, length, more...); err != nil {
		return r, 0, err
	}
	after, err := cpuSeconds(v.pids)
	return r, after - before, err
}

func roundTrips(v *variant, length time.Duration) ([]float64, error) {
	took, err := pingPong(v, length)
	return []float64{quantile(took, 0.5), quantile(took, 0.99)}, err
}

// pingCongestion is Linux's own choice, and fills a queue until it overflows.
const pingCongestion = "cubic"

// underLoad compares pings with and without a transfer beside them.
func underLoad(v *variant, length time.Duration) ([]float64, error) {
	idle, err := ping(v, length/4)
	if err != nil {
		return nil, err
	}
	t, err := newTransfer(v.flow(), pingCongestion)
	if err != nil {
		return nil, err
	}
	defer t.stop()
	time.Sleep(length) // until it has filled the path
	began := time.Now()
	loaded, err := ping(v, 2*length) // a sawtooth of CUBIC is long
	if err != nil {
		return nil, err
	}
	bits := t.rate(began, began.Add(2*length))
	if bits == 0 {
		return nil, errNothing
	}
	base := quantile(idle.took, 0.5)
	return []float64{quantile(loaded.took, 0.5) - base, quantile(loaded.took, 0.99) - base, base, 100 * loaded.lost, bits / 1e6}, nil
}
