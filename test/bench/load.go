package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// load is something to measure.
type load struct {
	name, unit string
	args       []string // of iperf3; nil: request and response
	value      func(r iperfResult) float64
}

var loads = []load{
	{"one TCP stream", "Gbit/s", []string{}, gigabits},
	{"eight TCP streams", "Gbit/s", []string{"--parallel", "8"}, gigabits},
	{"both directions at once", "Gbit/s (sum)", []string{"--bidir"}, gigabits},
	{"UDP, 200 bytes", "1000 packets/s received", []string{"--udp", "--bitrate", "0", "--length", "200"}, packetsPerSecond},
	{"request and response, 1 byte", "µs median", nil, nil},
}

// iperfResult is what iperf3 prints as JSON, as far as it is used.
type iperfResult struct {
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

func gigabits(r iperfResult) float64 {
	return (r.End.Received.BitsPerSecond + r.End.ReceivedReverse.BitsPerSecond) / 1e9
}

func packetsPerSecond(r iperfResult) float64 {
	return (r.End.UDP.Packets - r.End.UDP.LostPackets) / max(r.End.UDP.Seconds, 1) / 1e3
}

// sample is one measurement.
type sample struct {
	value    float64
	cpuPerGB float64 // seconds
}

func measure(v *variant, l load, length time.Duration) (sample, error) {
	before := cpuSeconds(v.pids())
	if l.args == nil {
		median, err := pingPong(v, length)
		return sample{value: median}, err
	}
	server := v.b.Command("iperf3", "--server", "--one-off", "--forceflush", "--bind", v.address)
	output, err := server.StdoutPipe()
	if err != nil {
		return sample{}, err
	}
	if err := server.Start(); err != nil {
		return sample{}, err
	}
	defer func() { server.Process.Kill(); server.Wait() }()
	for lines := bufio.NewScanner(output); !strings.Contains(lines.Text(), "listening"); {
		if !lines.Scan() {
			return sample{}, fmt.Errorf("iperf3 does not listen")
		}
	}
	go io.Copy(io.Discard, output)
	args := append([]string{"--client", v.address, "--json", "--time", strconv.Itoa(max(1, int(length/time.Second)))}, l.args...)
	text, err := v.a.Command("iperf3", args...).Output()
	if err != nil {
		return sample{}, fmt.Errorf("iperf3: %w\n%s", err, text)
	}
	var r iperfResult
	if err := json.Unmarshal(text, &r); err != nil {
		return sample{}, err
	}
	s := sample{value: l.value(r)}
	if gb := (r.End.Received.Bytes + r.End.ReceivedReverse.Bytes) / 1e9; gb > 0 {
		s.cpuPerGB = (cpuSeconds(v.pids()) - before) / gb
	}
	return s, nil
}

// pingPong sends a byte there and back again, and returns the median of the
// round trips in microseconds.
func pingPong(v *variant, length time.Duration) (float64, error) {
	listener, err := v.b.Listen("tcp", net.JoinHostPort(v.address, "0"))
	if err != nil {
		return 0, err
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
		return 0, err
	}
	defer conn.Close()
	var took []float64
	b := make([]byte, 1)
	for end := time.Now().Add(length); time.Now().Before(end); {
		began := time.Now()
		if _, err := conn.Write(b); err != nil {
			return 0, err
		}
		if _, err := io.ReadFull(conn, b); err != nil {
			return 0, err
		}
		took = append(took, float64(time.Since(began).Nanoseconds())/1e3)
	}
	slices.Sort(took)
	return took[len(took)/2], nil
}

// cpuSeconds is the CPU time that processes have used so far.
func cpuSeconds(pids []int) (sum float64) {
	const ticks = 100 // USER_HZ of Linux
	for _, pid := range pids {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			continue
		}
		fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
		for _, f := range fields[11:13] { // utime, stime
			n, _ := strconv.ParseFloat(f, 64)
			sum += n / ticks
		}
	}
	return sum
}
