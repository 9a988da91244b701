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

// transferResult is what both ends of a transfer know at its end.
type transferResult struct {
	elapsed                time.Duration // from the first byte until the far end's answer
	received               uint64        // bytes, counted by the far end
	sentHash, receivedHash [sha256.Size]byte
}

// judge returns nil when size bytes have arrived unchanged, through a tunnel
// that has counted so many bytes at its far end.
func (r *transferResult) judge(size, tunnelled uint64) error {
	switch {
	case r.received != size:
		return fmt.Errorf("host b has received %d bytes of %d", r.received, size)
	case r.receivedHash != r.sentHash:
		return errors.New("the hashes differ: what host b has received is not what host a has sent")
	case tunnelled < size:
		return fmt.Errorf("only %d bytes of %d went through the tunnel", tunnelled, size)
	}
	return nil
}

const (
	transferPort = 7077
	chunkSize    = 256 << 10 // bytes of one write
	// receiptSize is that of what the far end answers, through the tunnel, to
	// the bytes that it got: their hash and their number. In bytes.
	receiptSize = sha256.Size + 8
	// stallAfter is how long nothing may arrive before the transfer counts
	// as failed. TCP alone would wait for a quarter of an hour.
	stallAfter = 30 * time.Second
)

var errStalled = fmt.Errorf("the transfer has stalled: no byte has arrived for %v", stallAfter)

// transfer sends the bytes from a to b and prints how it goes.
func (d *demo) transfer(ctx context.Context, a, b *end) (*transferResult, error) {
	at := netip.AddrPortFrom(b.inner, transferPort).String()
	listener, err := b.host.Listen("tcp", at)
	if err != nil {
		return nil, fmt.Errorf("listen on host b: %w", err)
	}
	// Whatever ends the demo ends both ends of the transfer.
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

	var arrived atomic.Uint64
	go func() {
		if err := receive(receiving.(*net.TCPConn), &arrived); err != nil {
			fail(fmt.Errorf("receive on host b: %w", err))
		}
	}()
	stop := d.watch(&arrived, func() { fail(errStalled) })
	result, err := send(sending.(*net.TCPConn), d.seed, uint64(d.size))
	stop()
	switch cause := context.Cause(ctx); {
	case cause != nil:
		return nil, cause
	case err != nil:
		return nil, fmt.Errorf("send from host a: %w", err)
	}
	return result, nil
}

// closeWith closes c when ctx is done.
func closeWith(ctx context.Context, c io.Closer) {
	context.AfterFunc(ctx, func() { c.Close() })
}

// send writes pseudo-random bytes and reads the receipt.
func send(conn *net.TCPConn, seed, size uint64) (*transferResult, error) {
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

// receive hashes what comes until its end, and answers with the receipt.
func receive(conn *net.TCPConn, arrived *atomic.Uint64) error {
	hash := sha256.New()
	chunk := make([]byte, chunkSize)
	var count uint64
	for {
		n, err := conn.Read(chunk)
		hash.Write(chunk[:n])
		count += uint64(n)
		arrived.Store(count)
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
