//go:build linux

package main

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync/atomic"
	"time"
)

// transferResult is the result of a transfer, measured at both ends.
type transferResult struct {
	elapsed                time.Duration // from the first byte to the receipt
	received               uint64        // bytes, counted by the receiver
	gap                    time.Duration // the longest time in which no byte arrived
	sentHash, receivedHash [sha256.Size]byte
}

// judge returns nil if size bytes have arrived unchanged and the receiver's
// tunnel has counted at least as many, tunnelled.
func (r *transferResult) judge(size, tunnelled uint64) error {
	switch {
	case r.received != size:
		return fmt.Errorf("host b has received %d bytes of %d", r.received, size)
	case r.receivedHash != r.sentHash:
		return errors.New("the hashes differ: host b has not received the bytes that host a has sent")
	case tunnelled < size:
		return fmt.Errorf("only %d bytes of %d went through the tunnel", tunnelled, size)
	}
	return nil
}

const (
	transferPort = 7077
	chunkSize    = 256 << 10 // bytes of one write
	// receiptSize is the length in bytes of the receiver's answer through the
	// tunnel: the hash of the received bytes, and their number.
	receiptSize = sha256.Size + 8
	// stallAfter is how long the transfer may stand still before it counts as
	// failed. TCP alone would wait for a quarter of an hour.
	stallAfter = 30 * time.Second
)

var errStalled = errors.New("the transfer has stalled: no more bytes arrive")

// transfer sends the bytes from a to b, prints its progress and changes the path
// meanwhile.
func (d *demo) transfer(ctx context.Context, path *labPath, a, b *end) (*transferResult, error) {
	at := netip.AddrPortFrom(b.inner, transferPort).String()
	listener, err := b.host.Listen("tcp", at)
	if err != nil {
		return nil, fmt.Errorf("listen on host b: %w", err)
	}
	// The end of the demo closes both connections, whatever its cause.
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	closeWith(ctx, listener)
	dialing, cancel := context.WithTimeoutCause(ctx, stallAfter, errStalled)
	defer cancel()
	sending, err := a.host.DialContext(dialing, "tcp", at)
	if err != nil {
		return nil, fmt.Errorf("connect host a to host b through the tunnel: %w", err)
	}
	closeWith(ctx, sending)
	receiving, err := listener.Accept()
	if err != nil {
		return nil, fmt.Errorf("accept on host b: %w", err)
	}
	closeWith(ctx, receiving)

	var arrived arrivals
	go func() {
		if err := receive(receiving.(*net.TCPConn), &arrived); err != nil {
			fail(fmt.Errorf("receive on host b: %w", err))
		}
	}()
	var changes pathChanges
	weather := d.changeWeather(path, &arrived, &changes)
	stop := d.watch(&arrived.bytes, func() *sizes { return d.sizes(ctx, path, a) }, &changes, func() { fail(errStalled) })
	result, err := send(sending.(*net.TCPConn), d.seed, uint64(d.size), d.duration)
	stop()
	weather()
	switch cause := context.Cause(ctx); {
	case cause != nil:
		return nil, cause
	case err != nil:
		return nil, fmt.Errorf("send from host a: %w", err)
	}
	result.gap = time.Duration(arrived.gap.Load())
	return result, nil
}

// arrivals are the receiver's measurements, updated while it receives.
type arrivals struct {
	bytes atomic.Uint64
	gap   atomic.Int64 // nanoseconds: the longest time between two reads
}

// closeWith closes c when ctx is done.
func closeWith(ctx context.Context, c io.Closer) {
	context.AfterFunc(ctx, func() { c.Close() })
}

// send writes pseudo-random bytes, spread evenly over at least the given time,
// and reads the receipt.
func send(conn *net.TCPConn, seed, size uint64, atLeast time.Duration) (*transferResult, error) {
	var key [32]byte
	binary.LittleEndian.PutUint64(key[:], seed)
	random, hash := rand.NewChaCha8(key), sha256.New()
	chunk := make([]byte, chunkSize)
	began := time.Now()
	for left := size; left > 0; left -= uint64(len(chunk)) {
		chunk = chunk[:min(left, chunkSize)]
		random.Read(chunk)
		hash.Write(chunk)
		if _, err := conn.Write(chunk); err != nil {
			return nil, err
		}
		share := float64(size-left) / float64(size)
		time.Sleep(time.Until(began.Add(time.Duration(share * float64(atLeast)))))
	}
	if err := conn.CloseWrite(); err != nil {
		return nil, err
	}
	var receipt [receiptSize]byte
	if _, err := io.ReadFull(conn, receipt[:]); err != nil {
		return nil, fmt.Errorf("read the receipt: %w", err)
	}
	r := &transferResult{
		elapsed:      time.Since(began),
		received:     binary.BigEndian.Uint64(receipt[sha256.Size:]),
		receivedHash: [sha256.Size]byte(receipt[:]),
	}
	hash.Sum(r.sentHash[:0])
	return r, nil
}

// receive hashes the bytes of a connection to their end and answers with the
// receipt.
func receive(conn *net.TCPConn, arrived *arrivals) error {
	hash := sha256.New()
	chunk := make([]byte, chunkSize)
	var count uint64
	var last time.Time
	for {
		n, err := conn.Read(chunk)
		now := time.Now()
		if !last.IsZero() {
			arrived.gap.Store(max(arrived.gap.Load(), int64(now.Sub(last))))
		}
		last = now
		hash.Write(chunk[:n])
		count += uint64(n)
		arrived.bytes.Store(count)
		if errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return err
		}
	}
	receipt := binary.BigEndian.AppendUint64(hash.Sum(nil), count)
	_, err := conn.Write(receipt)
	return errors.Join(err, conn.CloseWrite())
}
