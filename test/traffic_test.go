package test

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"fathom/test/netlab"
)

// transferWithin bounds every load, so that a stall is a failure.
const transferWithin = 2 * time.Minute

// connect makes a TCP connection between two hosts, to the address of the
// second.
func connect(t testing.TB, from, to *netlab.Host, address string) (client, server *net.TCPConn) {
	t.Helper()
	listener, err := to.Listen("tcp", net.JoinHostPort(address, "0"))
	check(t, err)
	defer listener.Close()
	accepted := make(chan net.Conn, 1)
	go func() {
		conn, err := listener.Accept()
		if err == nil {
			accepted <- conn
		}
	}()
	c, err := from.Dial("tcp", listener.Addr().String())
	check(t, err)
	t.Cleanup(func() { c.Close() })
	select {
	case s := <-accepted:
		t.Cleanup(func() { s.Close() })
		for _, conn := range []net.Conn{c, s} {
			check(t, conn.SetDeadline(time.Now().Add(transferWithin)))
		}
		return c.(*net.TCPConn), s.(*net.TCPConn)
	case <-time.After(within):
		t.Fatalf("no connection from %s to %s", from, address)
		return nil, nil
	}
}

// bulkResult is what the receiver of a bulk transfer has seen.
type bulkResult struct {
	bytes   int64
	elapsed time.Duration
	gap     time.Duration // the longest time between two reads
}

// bulk sends pseudo-random bytes over a new TCP connection, and compares the
// hashes. It ends the test unless all bytes arrive unchanged.
func bulk(t testing.TB, from, to *netlab.Host, address string, size int64) bulkResult {
	t.Helper()
	client, server := connect(t, from, to, address)
	r, err := sendBulk(client, server, size)
	if err != nil {
		t.Fatalf("bulk transfer from %s to %s: %v", from, to, err)
	}
	return r
}

// bulkSender is a TCP connection, or one that takes its time.
type bulkSender interface {
	io.WriteCloser
	CloseWrite() error
}

// paced writes no faster than so many bytes a second.
type paced struct {
	*net.TCPConn
	rate int
}

func (p paced) Write(b []byte) (n int, err error) {
	const chunk = 32 << 10
	for len(b) > 0 && err == nil {
		var k int
		k, err = p.TCPConn.Write(b[:min(chunk, len(b))])
		n, b = n+k, b[k:]
		time.Sleep(time.Duration(k) * time.Second / time.Duration(p.rate))
	}
	return n, err
}

// sendBulk sends from one end of a connection to the other.
func sendBulk(client bulkSender, server *net.TCPConn, size int64) (r bulkResult, err error) {
	sent := sha256.New()
	var sendErr error
	var sender sync.WaitGroup
	sender.Go(func() {
		source := io.LimitReader(rand.NewChaCha8([32]byte{1}), size)
		_, sendErr = io.CopyBuffer(onlyWriter{client}, io.TeeReader(source, sent), make([]byte, 128<<10))
		client.CloseWrite()
	})
	received := sha256.New()
	began := time.Now()
	last := began
	buffer := make([]byte, 256<<10)
	for err == nil {
		var n int
		n, err = server.Read(buffer)
		now := time.Now()
		r.gap = max(r.gap, now.Sub(last))
		last = now
		received.Write(buffer[:n])
		r.bytes += int64(n)
	}
	r.elapsed = time.Since(began)
	server.CloseRead()
	if err != io.EOF {
		client.Close()
	}
	sender.Wait()
	switch {
	case err != io.EOF:
		return r, fmt.Errorf("after %d bytes: %w", r.bytes, err)
	case sendErr != nil:
		return r, sendErr
	case r.bytes != size:
		return r, fmt.Errorf("%d of %d bytes arrived", r.bytes, size)
	case !bytes.Equal(sent.Sum(nil), received.Sum(nil)):
		return r, errors.New("the bytes have changed on the way")
	}
	return r, nil
}

// onlyWriter hides ReadFrom, so that the data passes through the hash.
type onlyWriter struct{ io.Writer }

// keystrokes is interactive traffic: single bytes at human intervals, each
// answered by an echo, and now and then by a screen of text. It returns the
// longest time that an answer took.
func keystrokes(t testing.TB, from, to *netlab.Host, address string, n int) (slowest time.Duration) {
	t.Helper()
	const enter, screen = '\n', 3000
	client, server := connect(t, from, to, address)
	var shell sync.WaitGroup
	shell.Go(func() {
		key := make([]byte, 1)
		for {
			if _, err := server.Read(key); err != nil {
				return
			}
			answer := key
			if key[0] == enter {
				answer = bytes.Repeat(key, screen)
			}
			if _, err := server.Write(answer); err != nil {
				return
			}
		}
	})
	random := rand.New(rand.NewPCG(1, 2))
	for i := range n {
		key := byte('a' + random.IntN(26))
		want := []byte{key}
		if random.IntN(10) == 0 {
			key, want = enter, bytes.Repeat([]byte{enter}, screen)
		}
		pressed := time.Now()
		_, err := client.Write([]byte{key})
		check(t, err)
		got := make([]byte, len(want))
		if _, err := io.ReadFull(client, got); err != nil {
			t.Fatalf("keystroke %d: %v", i, err)
		}
		if !bytes.Equal(got, want) {
			t.Fatalf("keystroke %d: the answer is wrong", i)
		}
		slowest = max(slowest, time.Since(pressed))
		time.Sleep(time.Duration(random.IntN(10)) * time.Millisecond)
	}
	client.Close()
	shell.Wait()
	return slowest
}

// stream is a flow of numbered UDP datagrams.
type stream struct {
	sent, lost, duplicated int
	reordered              int // datagrams that arrived after a later one
	displaced              int // by how many at most
}

func (s stream) String() string {
	return fmt.Sprintf("%d sent, %d lost, %d duplicated, %d out of order (by at most %d)", s.sent, s.lost, s.duplicated, s.reordered, s.displaced)
}

// startStream sends datagrams of the given size every interval until the
// returned function is called, which waits for the last ones.
func startStream(t testing.TB, from, to *netlab.Host, address string, size int, interval time.Duration) (stop func() stream) {
	t.Helper()
	receiver, err := to.ListenPacket("udp", net.JoinHostPort(address, "0"))
	check(t, err)
	check(t, receiver.(*net.UDPConn).SetReadBuffer(4<<20))
	sender, err := from.Dial("udp", receiver.LocalAddr().String())
	check(t, err)
	t.Cleanup(func() { receiver.Close(); sender.Close() })

	var s stream
	arrived := make(map[uint64]int)
	var reading sync.WaitGroup
	reading.Go(func() {
		b := make([]byte, 65536)
		highest := uint64(0)
		for {
			n, _, err := receiver.ReadFrom(b)
			if err != nil {
				return
			}
			number := binary.BigEndian.Uint64(b[:n])
			arrived[number]++
			if number < highest {
				s.reordered++
				s.displaced = max(s.displaced, int(highest-number))
			}
			highest = max(highest, number)
		}
	})
	quit := make(chan struct{})
	var sending sync.WaitGroup
	var sendErr error
	sending.Go(func() {
		b := make([]byte, size)
		tick := time.NewTicker(interval)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
			case <-quit:
				return
			}
			binary.BigEndian.PutUint64(b, uint64(s.sent))
			if _, err := sender.Write(b); err != nil {
				sendErr = err
				return
			}
			s.sent++
		}
	})
	return func() stream {
		t.Helper()
		close(quit)
		sending.Wait()
		time.Sleep(300 * time.Millisecond) // for what is under way
		receiver.SetReadDeadline(time.Now())
		reading.Wait()
		if sendErr != nil && !errors.Is(sendErr, os.ErrDeadlineExceeded) {
			t.Errorf("stream from %s to %s: %v", from, to, sendErr)
		}
		for _, times := range arrived {
			s.duplicated += times - 1
		}
		s.lost = s.sent - len(arrived)
		return s
	}
}

// pinger runs ping with the arguments and ends the test unless every echo is
// answered.
func pinger(t testing.TB, from *netlab.Host, address string, args ...string) {
	t.Helper()
	ping := program(t, "ping", "iputils-ping")
	run(t, from, ping, append(append([]string{"-q", "-c", "3", "-i", "0.05", "-W", "5"}, args...), address)...)
}

// iperf runs iperf3 for a second and returns what the receiver got, in bits
// per second.
func iperf(t testing.TB, from, to *netlab.Host, address string, args ...string) float64 {
	t.Helper()
	iperf3 := program(t, "iperf3", "iperf3")
	server := to.Command(iperf3, "--server", "--one-off", "--forceflush", "--bind", address)
	output, err := server.StdoutPipe()
	check(t, err)
	check(t, server.Start())
	defer server.Wait()
	for lines := bufio.NewScanner(output); !strings.Contains(lines.Text(), "listening"); {
		if !lines.Scan() {
			t.Fatal("iperf3 does not listen")
		}
	}
	go io.Copy(io.Discard, output)
	var result struct {
		End struct {
			Received struct {
				BitsPerSecond float64 `json:"bits_per_second"`
			} `json:"sum_received"`
		} `json:"end"`
	}
	text := run(t, from, iperf3, append([]string{"--client", address, "--time", "1", "--json"}, args...)...)
	check(t, json.Unmarshal([]byte(text), &result))
	return result.End.Received.BitsPerSecond
}
