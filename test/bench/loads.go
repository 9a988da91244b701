package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"fathom/test/netlab"
)

// load is something to measure.
type load struct {
	name    string
	columns []string // of the figures: what, in which unit
	// measure loads a variant for about so long.
	measure func(v *variant, length time.Duration) (figures []float64, err error)
}

var (
	throughputColumns = []string{"Gbit/s", "CPU s/GB of both daemons", "MiB of the larger daemon"}

	oneStream    = load{"one TCP stream", throughputColumns, throughput()}
	eightStreams = load{"eight TCP streams", throughputColumns, throughput("--parallel", "8")}
	bothWays     = load{"TCP both ways at once", throughputColumns, throughput("--bidir")}

	smallDatagrams = load{"UDP of 200 bytes", []string{"1000 packets/s received", "CPU s per million"}, datagrams}

	requestResponse = load{"request and response of 1 byte", []string{"µs, median", "µs, p99"}, func(v *variant, length time.Duration) ([]float64, error) {
		took, err := pingPong(v, length, 0)
		if err != nil {
			return nil, err
		}
		return []float64{quantile(took, 0.5), quantile(took, 0.99)}, nil
	}}

	pingUnderLoad = load{"inner ping under a transfer", []string{"ms added, median", "ms added, p99", "ms idle", "Mbit/s"}, underLoad}
)

// throughput measures TCP by iperf3 with more arguments.
func throughput(more ...string) func(*variant, time.Duration) ([]float64, error) {
	return func(v *variant, length time.Duration) ([]float64, error) {
		before := cpuSeconds(v.pids)
		r, err := iperf(v, length, more...)
		if err != nil {
			return nil, err
		}
		used := cpuSeconds(v.pids) - before
		bits := r.End.Received.BitsPerSecond + r.End.ReceivedReverse.BitsPerSecond
		gigabytes := (r.End.Received.Bytes + r.End.ReceivedReverse.Bytes) / 1e9
		return []float64{bits / 1e9, used / max(gigabytes, 1e-9), peakMemory(v.pids)}, nil
	}
}

// datagrams sends more than can arrive, and counts what does.
func datagrams(v *variant, length time.Duration) ([]float64, error) {
	before := cpuSeconds(v.pids)
	r, err := iperf(v, length, "--udp", "--bitrate", "0", "--length", "200")
	if err != nil {
		return nil, err
	}
	used := cpuSeconds(v.pids) - before
	received := r.End.UDP.Packets - r.End.UDP.LostPackets
	return []float64{received / max(r.End.UDP.Seconds, 1) / 1e3, used / max(received/1e6, 1e-9)}, nil
}

// underLoad compares the round trips of single bytes with and without a
// transfer beside them.
func underLoad(v *variant, length time.Duration) ([]float64, error) {
	const pause = 5 * time.Millisecond
	idle, err := pingPong(v, length/3, pause)
	if err != nil {
		return nil, err
	}
	type outcome struct {
		r   iperfResult
		err error
	}
	done := make(chan outcome, 1)
	start := length / 3 // of the transfer, until it has filled the path
	go func() {
		r, err := iperf(v, start+length+time.Second)
		done <- outcome{r, err}
	}()
	time.Sleep(start)
	loaded, err := pingPong(v, length, pause)
	o := <-done
	if err == nil {
		err = o.err
	}
	if err != nil {
		return nil, err
	}
	const perMilli = 1e3
	base := quantile(idle, 0.5)
	return []float64{(quantile(loaded, 0.5) - base) / perMilli, (quantile(loaded, 0.99) - base) / perMilli, base / perMilli, o.r.End.Received.BitsPerSecond / 1e6}, nil
}

// shrink compares the throughput before and after the path shrinks. Each size
// is held for as long as one measurement is to last.
func shrink(name string, silent bool) load {
	const from, to = 1500, 1280
	return load{"TCP over 1500, then 1280 bytes, " + name, []string{"Gbit/s at 1500", "Gbit/s at 1280", "ratio"}, func(v *variant, length time.Duration) ([]float64, error) {
		v.hideMTU(silent)
		defer v.hideMTU(false)
		for _, h := range []*netlab.Host{v.a, v.b} {
			h.Sysctl("net.ipv4.route.flush", "1") // of what earlier ICMP has left there
		}
		defer v.setMTU(from)
		go func() {
			time.Sleep(length)
			v.setMTU(to)
		}()
		r, err := iperf(v, 2*length, "--interval", "0.1")
		if err != nil {
			return nil, err
		}
		var before, after []float64
		for _, i := range r.Intervals {
			// Around the change, and at the ends, an interval has both.
			const margin = 0.25
			switch at := i.Sum.Start; {
			case at > margin && at < length.Seconds()-2*margin:
				before = append(before, i.Sum.BitsPerSecond/1e9)
			case at > length.Seconds()+2*margin && at < 2*length.Seconds()-margin:
				after = append(after, i.Sum.BitsPerSecond/1e9)
			}
		}
		b, a := mean(before), mean(after)
		return []float64{b, a, a / max(b, 1e-9)}, nil
	}}
}

// iperfResult is what iperf3 prints as JSON, as far as it is used.
type iperfResult struct {
	Intervals []struct {
		Sum struct {
			Start         float64 `json:"start"`
			BitsPerSecond float64 `json:"bits_per_second"`
		} `json:"sum"`
	} `json:"intervals"`
	End struct {
		Received        ends `json:"sum_received"`
		ReceivedReverse ends `json:"sum_received_bidir_reverse"`
		UDP             struct {
			Packets     float64 `json:"packets"`
			LostPackets float64 `json:"lost_packets"`
			Seconds     float64 `json:"seconds"`
		} `json:"sum"`
	} `json:"end"`
}

type ends struct {
	BitsPerSecond float64 `json:"bits_per_second"`
	Bytes         float64 `json:"bytes"`
}

// iperf runs iperf3 from a to b.
func iperf(v *variant, length time.Duration, more ...string) (r iperfResult, err error) {
	server := v.b.Command("iperf3", "--server", "--one-off", "--forceflush", "--bind", v.address)
	output, err := server.StdoutPipe()
	if err != nil {
		return r, err
	}
	if err := server.Start(); err != nil {
		return r, err
	}
	defer func() { server.Process.Kill(); server.Wait() }()
	for lines := bufio.NewScanner(output); !strings.Contains(lines.Text(), "listening"); {
		if !lines.Scan() {
			return r, fmt.Errorf("iperf3 does not listen")
		}
	}
	go io.Copy(io.Discard, output)
	args := append([]string{"--client", v.address, "--json", "--time", strconv.FormatFloat(max(1, length.Seconds()), 'f', 0, 64)}, more...)
	text, err := v.a.Command("iperf3", args...).Output()
	if err != nil {
		return r, fmt.Errorf("iperf3: %w\n%s", err, text)
	}
	return r, json.Unmarshal(text, &r)
}

// pingPong sends a byte there and back again, with a pause in between, and
// returns the round trips in microseconds, the shortest first.
func pingPong(v *variant, length, pause time.Duration) ([]float64, error) {
	listener, err := v.b.Listen("tcp", net.JoinHostPort(v.address, "0"))
	if err != nil {
		return nil, err
	}
	defer listener.Close()
	go func() {
		conn, err := listener.Accept()
		if err == nil {
			io.Copy(conn, conn)
			conn.Close()
		}
	}()
	conn, err := v.a.Dial("tcp", listener.Addr().String())
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	var took []float64
	b := make([]byte, 1)
	for end := time.Now().Add(length); time.Now().Before(end); time.Sleep(pause) {
		began := time.Now()
		if _, err := conn.Write(b); err != nil {
			return nil, err
		}
		if _, err := io.ReadFull(conn, b); err != nil {
			return nil, err
		}
		took = append(took, float64(time.Since(began).Nanoseconds())/1e3)
	}
	slices.Sort(took)
	return took, nil
}

// quantile returns a quantile of sorted values.
func quantile(sorted []float64, q float64) float64 {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[min(int(q*float64(len(sorted))), len(sorted)-1)]
}

func mean(list []float64) (sum float64) {
	for _, x := range list {
		sum += x / float64(len(list))
	}
	return sum
}
