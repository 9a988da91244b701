//go:build linux

package main

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"slices"
	"sync"
	"time"

	"fathom/test/netlab"
)

// dial connects from a host to an address.
func dial(from *netlab.Host, network string, to net.Addr) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return from.DialContext(ctx, network, to.String())
}

// pingPong sends a byte there and back again by TCP, the next when the last is
// back, and returns the round trips in microseconds, the shortest first.
func pingPong(v *variant, length time.Duration) ([]float64, error) {
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
	conn, err := dial(v.a, "tcp", listener.Addr())
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(length + patience))
	var took []float64
	b := make([]byte, 1)
	for end := time.Now().Add(length); time.Now().Before(end); {
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

// pings are the answers to a train of datagrams.
type pings struct {
	took []float64 // milliseconds, the shortest first
	lost float64   // share of all
}

// ping sends a datagram every few milliseconds by UDP, whether or not the last
// ones have been answered: waiting for answers would ask least when they are late.
func ping(v *variant, length time.Duration) (p pings, err error) {
	const pause = 5 * time.Millisecond
	server, err := v.b.ListenPacket("udp", net.JoinHostPort(v.address, "0"))
	if err != nil {
		return p, err
	}
	defer server.Close()
	go func() {
		for b := make([]byte, 64); ; {
			n, from, err := server.ReadFrom(b)
			if err != nil {
				return
			}
			server.WriteTo(b[:n], from)
		}
	}()
	conn, err := dial(v.a, "udp", server.LocalAddr())
	if err != nil {
		return p, err
	}
	defer conn.Close()

	// A datagram carries when it was sent.
	began := time.Now()
	var mu sync.Mutex
	var took []float64
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		for b := make([]byte, 8); ; {
			n, err := conn.Read(b)
			if errors.Is(err, net.ErrClosed) {
				return
			}
			if err != nil || n < len(b) {
				continue // an ICMP error of another datagram
			}
			trip := time.Since(began) - time.Duration(binary.BigEndian.Uint64(b))
			mu.Lock()
			took = append(took, trip.Seconds()*1e3)
			mu.Unlock()
		}
	}()
	sent := 0
	for ; time.Since(began) < length; sent++ {
		conn.Write(binary.BigEndian.AppendUint64(nil, uint64(time.Since(began)))) // an unsent one counts as unanswered
		time.Sleep(time.Until(began.Add(time.Duration(sent+1) * pause)))
	}
	// The last ones may take twice as long as any before.
	for end := time.Now(); ; time.Sleep(pause) {
		mu.Lock()
		all := len(took) == sent
		late := 100*time.Millisecond + 2*time.Duration(slices.Max(append(took, 0))*1e6)
		mu.Unlock()
		if all || time.Since(end) > late {
			break
		}
	}
	conn.Close()
	<-answered
	if len(took) == 0 {
		return p, errors.New("no ping is answered")
	}
	slices.Sort(took)
	return pings{took: took, lost: 1 - float64(len(took))/float64(sent)}, nil
}
