//go:build linux

package test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"fathom/test/netlab"
)

// transferWithin bounds every load. It only keeps a failing test from hanging.
const transferWithin = 10 * time.Minute

// connect makes a TCP connection between two hosts, to the address of the
// second.
func connect(t testing.TB, from, to *netlab.Host, address string) (client, server *net.TCPConn) {
	t.Helper()
	return connectWithin(t, from, to, address, 0)
}

// connectWithin is connect with a receive buffer of window bytes. It bounds the
// data under way, so that a slow machine's sockets have room for it.
func connectWithin(t testing.TB, from, to *netlab.Host, address string, window int) (client, server *net.TCPConn) {
	t.Helper()
	listener, err := to.Listen("tcp", net.JoinHostPort(address, "0"))
	check(t, err)
	defer listener.Close()
	if window > 0 {
		raw, err := listener.(*net.TCPListener).SyscallConn()
		check(t, err)
		check(t, raw.Control(func(fd uintptr) {
			err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF, window)
		}))
		check(t, err)
	}
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

// pinger runs ping with the arguments and ends the test unless an echo is answered.
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
