//go:build linux

package test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"fathom/test/netlab"
)

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
	r, err := sendBulk(client, server, io.LimitReader(randomBytes(), size), new(atomic.Int64))
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

// paced writes at most rate bytes a second.
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

// randomBytes is an endless reader of pseudo-random bytes.
func randomBytes() io.Reader { return rand.NewChaCha8([32]byte{1}) }

// sendBulk sends all of a source from one end of a connection to the other, and
// compares the hashes. It counts the bytes as they arrive.
func sendBulk(client bulkSender, server *net.TCPConn, source io.Reader, arrived *atomic.Int64) (r bulkResult, err error) {
	sent := sha256.New()
	var size int64
	var sendErr error
	var sender sync.WaitGroup
	sender.Go(func() {
		size, sendErr = io.CopyBuffer(onlyWriter{client}, io.TeeReader(source, sent), make([]byte, 128<<10))
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
		r.bytes = arrived.Add(int64(n))
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

// transfer is a bulk transfer in the background that goes on until it is
// stopped.
type transfer struct {
	t       testing.TB
	arrived atomic.Int64
	quit    chan struct{}
	ended   chan struct{} // closed after the two below are set
	result  bulkResult
	err     error
}

// transferring begins a transfer over a new connection.
func transferring(t testing.TB, from, to *netlab.Host, address string) *transfer {
	t.Helper()
	client, server := connect(t, from, to, address)
	return transferOver(t, client, server)
}

// transferOver begins a transfer over a connection.
func transferOver(t testing.TB, client bulkSender, server *net.TCPConn) *transfer {
	x := &transfer{t: t, quit: make(chan struct{}), ended: make(chan struct{})}
	go func() {
		defer close(x.ended)
		x.result, x.err = sendBulk(client, server, until{randomBytes(), x.quit}, &x.arrived)
	}()
	return x
}

// more waits until the given number of further bytes has arrived.
func (x *transfer) more(bytes int64) {
	x.t.Helper()
	want := x.arrived.Load() + bytes
	for deadline := time.Now().Add(within); x.arrived.Load() < want; {
		select {
		case <-x.ended:
			x.t.Fatalf("the transfer has ended after %d bytes: %v", x.arrived.Load(), x.err)
		case <-time.After(time.Millisecond):
		}
		if time.Now().After(deadline) {
			x.t.Fatalf("the transfer has stalled at %d bytes; it was to reach %d", x.arrived.Load(), want)
		}
	}
}

// stop ends the transfer, and the test unless all bytes arrive unchanged.
func (x *transfer) stop() bulkResult {
	x.t.Helper()
	close(x.quit)
	select {
	case <-x.ended:
		check(x.t, x.err)
	case <-time.After(within):
		x.t.Fatal("the transfer has stalled")
	}
	return x.result
}

// until is a reader that ends when a channel is closed.
type until struct {
	io.Reader
	quit <-chan struct{}
}

func (u until) Read(b []byte) (int, error) {
	select {
	case <-u.quit:
		return 0, io.EOF
	default:
		return u.Reader.Read(b)
	}
}

// onlyWriter hides ReadFrom, so that the data passes through the hash.
type onlyWriter struct{ io.Writer }
