//go:build linux

package hubload

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/net/icmp"
	"golang.org/x/net/ipv4"

	"fathom/test/crowd"
)

// Round trips are measured by a process of their own: in this one they would wait for
// the crowd's turns.

// echoVariable is in the environment of that process.
const echoVariable = "FATHOM_HUBLOAD_ECHO"

// echoEvery is how often an echo request is sent, and echoWait how long the last ones are
// waited for.
const (
	echoEvery = 5 * time.Millisecond
	echoWait  = 500 * time.Millisecond
)

// IsEcho reports whether this process is one that Run has started to measure round
// trips. Its main function is then to call Echo and end.
func IsEcho() bool { return os.Getenv(echoVariable) != "" }

// Echo sends ICMP echo requests until the standard input ends, and then writes of each
// when it was sent and its round trip, in nanoseconds, 0 for one that was not answered.
func Echo() error {
	to, err := net.ResolveIPAddr("ip4", os.Getenv(echoVariable))
	if err != nil {
		return err
	}
	conn, err := net.DialIP("ip4:icmp", nil, to)
	if err != nil {
		return err
	}
	defer conn.Close()
	began := time.Now()
	trips := make(chan []int64)
	go func() { trips <- receiveEchoes(conn, began) }()
	ended := make(chan struct{})
	go func() {
		io.Copy(io.Discard, os.Stdin)
		close(ended)
	}()
	ticks := time.NewTicker(echoEvery)
	var sent []time.Duration
	for more := true; more; {
		select {
		case <-ended:
			more = false
		case <-ticks.C:
		}
		number := len(sent)
		sent = append(sent, time.Since(began))
		data := binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint32(nil, uint32(number)), uint64(sent[number]))
		message := icmp.Message{Type: ipv4.ICMPTypeEcho, Body: &icmp.Echo{ID: os.Getpid() & 0xffff, Seq: number & 0xffff, Data: data}}
		b, err := message.Marshal(nil)
		if err != nil {
			return err
		}
		_, _ = conn.Write(b) // one that is not sent is not answered
	}
	if err := conn.SetReadDeadline(time.Now().Add(echoWait)); err != nil {
		return err
	}
	answered := <-trips
	out := bufio.NewWriter(os.Stdout)
	for n, at := range sent {
		trip := int64(0)
		if n < len(answered) {
			trip = answered[n]
		}
		fmt.Fprintln(out, int64(at), trip)
	}
	return out.Flush()
}

// receiveEchoes returns the round trips of the requests, by number, when the connection's
// deadline has passed.
func receiveEchoes(conn *net.IPConn, began time.Time) (trips []int64) {
	for b := make([]byte, 1500); ; {
		n, _, err := conn.ReadFromIP(b) // without the IP header
		if errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, net.ErrClosed) {
			return trips
		}
		message, malformed := icmp.ParseMessage(1, b[:n])
		if err != nil || malformed != nil || message.Type != ipv4.ICMPTypeEchoReply {
			continue
		}
		if echo, ok := message.Body.(*icmp.Echo); ok && echo.ID == os.Getpid()&0xffff && len(echo.Data) == 12 {
			number := int(binary.BigEndian.Uint32(echo.Data))
			for len(trips) <= number {
				trips = append(trips, 0)
			}
			trips[number] = int64(time.Since(began)) - int64(binary.BigEndian.Uint64(echo.Data[4:]))
		}
	}
}

// roundTrips are those of the branch, the shortest first.
type roundTrips struct {
	took   []time.Duration
	lost   int
	lasted time.Duration // what went on meanwhile
}

// echoes measures round trips from the branch to the hub's host, inside the tunnel,
// while f goes on.
func (l *load) echoes(f func() error) (trips roundTrips, err error) {
	hub, _, _ := strings.Cut(crowd.HubInner, "/")
	process := l.branch.Host.Command("/proc/self/exe")
	process.Env = append(os.Environ(), echoVariable+"="+hub)
	process.Stderr = os.Stderr
	var out strings.Builder
	process.Stdout = &out
	stdin, err := process.StdinPipe()
	if err != nil {
		return trips, err
	}
	if err := process.Start(); err != nil {
		return trips, err
	}
	began := time.Now()
	err = f()
	trips.lasted = time.Since(began)
	stdin.Close()
	if err := errors.Join(err, process.Wait()); err != nil {
		return trips, fmt.Errorf("round trips: %w", err)
	}
	return trips, trips.read(out.String())
}

// read takes in what Echo has written. What was sent before the first answer came does
// not count: it may have waited until the branch was up.
func (t *roundTrips) read(text string) error {
	since := int64(-1) // when the first answer came
	for line := range strings.Lines(text) {
		var sent, trip int64
		_, err := fmt.Sscan(line, &sent, &trip)
		switch {
		case err != nil:
			return fmt.Errorf("round trips: %w", err)
		case trip > 0 && (since < 0 || sent+trip < since):
			since = sent + trip
		}
	}
	for line := range strings.Lines(text) {
		var sent, trip int64
		fmt.Sscan(line, &sent, &trip)
		switch {
		case since < 0 || sent < since:
		case trip > 0:
			t.took = append(t.took, time.Duration(trip))
		default:
			t.lost++
		}
	}
	slices.Sort(t.took)
	if len(t.took) == 0 {
		return errors.New("no echo of the branch is answered")
	}
	return nil
}

// quantile returns a quantile of the round trips; one that was lost lasts an hour.
func (t roundTrips) quantile(q float64) time.Duration {
	at := int(q * float64(len(t.took)+t.lost))
	if at >= len(t.took) {
		return time.Hour
	}
	return t.took[at]
}

// late is the 99th percentile.
func (t roundTrips) late() time.Duration { return t.quantile(0.99) }

func (t roundTrips) String() string {
	round := func(q float64) time.Duration { return t.quantile(q).Round(10 * time.Microsecond) }
	return fmt.Sprintf("median %v, p90 %v, p99 %v, %d of %d lost, for %.1f s",
		round(0.5), round(0.9), round(0.99), t.lost, len(t.took)+t.lost, t.lasted.Seconds())
}
