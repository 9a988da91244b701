//go:build linux

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// patience is how much longer than it should a measurement may take; then the
// contender has stalled.
const patience = 8 * time.Second

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

// iperf runs iperf3 from a to b.
func iperf(v *variant, length time.Duration, more ...string) (r iperfResult, err error) {
	length = max(length, time.Second).Round(time.Second) // it takes whole ones
	ctx, cancel := context.WithTimeout(context.Background(), length+patience)
	defer cancel()
	server := v.b.CommandContext(ctx, "iperf3", "--server", "--one-off", "--forceflush", "--bind", v.address)
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
	args := append([]string{"--client", v.address, "--json", "--time", strconv.Itoa(int(length.Seconds()))}, more...)
	text, err := v.a.CommandContext(ctx, "iperf3", args...).Output()
	if ctx.Err() != nil {
		return r, fmt.Errorf("iperf3 had not ended %v after it should have", patience)
	}
	if err != nil {
		return r, fmt.Errorf("iperf3: %w%s", err, complaint(text))
	}
	return r, json.Unmarshal(text, &r)
}

// complaint finds what iperf3 says of a failure in its JSON.
func complaint(text []byte) string {
	var said struct {
		Error string `json:"error"`
	}
	if json.Unmarshal(text, &said) != nil || said.Error == "" {
		return ""
	}
	return ": " + said.Error
}
