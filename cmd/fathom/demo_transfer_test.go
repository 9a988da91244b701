//go:build linux

package main

import (
	"crypto/sha256"
	"encoding/binary"
	"io"
	"math/rand/v2"
	"net"
	"testing"
)

// tcpPair returns both ends of a connection over the loopback interface.
func tcpPair(t *testing.T) (a, b *net.TCPConn) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	dialed, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	accepted, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		dialed.Close()
		accepted.Close()
	})
	return dialed.(*net.TCPConn), accepted.(*net.TCPConn)
}

// hashOf returns the hash that a transfer of size bytes must have.
func hashOf(seed uint64, size int) [sha256.Size]byte {
	var key [32]byte
	binary.LittleEndian.PutUint64(key[:], seed)
	data := make([]byte, size)
	rand.NewChaCha8(key).Read(data)
	return sha256.Sum256(data)
}

func TestTransfer(t *testing.T) {
	for _, size := range []int{0, 1, chunkSize - 1, chunkSize, chunkSize + 1, 3*chunkSize + 7} {
		a, b := tcpPair(t)
		var arrived arrivals
		received := make(chan error, 1)
		go func() { received <- receive(b, &arrived) }()
		r, err := send(a, 7, uint64(size), 0)
		if err != nil {
			t.Fatal(err)
		}
		if err := <-received; err != nil {
			t.Fatal(err)
		}
		if want := hashOf(7, size); r.sentHash != want || r.receivedHash != want {
			t.Errorf("%d bytes: hashes %x and %x, want %x", size, r.sentHash, r.receivedHash, want)
		}
		if r.received != uint64(size) || arrived.bytes.Load() != uint64(size) {
			t.Errorf("%d bytes: %d received, %d shown", size, r.received, arrived.bytes.Load())
		}
		if err := r.judge(uint64(size), uint64(size)); err != nil {
			t.Errorf("%d bytes: %v", size, err)
		}
	}
}

func TestTransferNoticesWhatHappensOnTheWay(t *testing.T) {
	const size = 2*chunkSize + 5
	for _, test := range []struct {
		name string
		harm func([]byte) []byte
		want string
	}{
		{"a flipped bit", func(data []byte) []byte { data[chunkSize] ^= 1; return data },
			"the hashes differ: host b has not received the bytes that host a has sent"},
		{"a missing end", func(data []byte) []byte { return data[:size-1] }, "host b has received 524292 bytes of 524293"},
	} {
		t.Run(test.name, func(t *testing.T) {
			a, router := tcpPair(t)
			onward, b := tcpPair(t)
			go receive(b, new(arrivals))
			go func() {
				data, _ := io.ReadAll(router)
				onward.Write(test.harm(data))
				onward.CloseWrite()
				io.Copy(router, onward)
				router.CloseWrite()
			}()
			r, err := send(a, 1, size, 0)
			if err != nil {
				t.Fatal(err)
			}
			if err := r.judge(size, size); err == nil || err.Error() != test.want {
				t.Errorf("judged %v, want %s", err, test.want)
			}
		})
	}
	t.Run("a way around the tunnel", func(t *testing.T) {
		r := &transferResult{received: size}
		if err := r.judge(size, size-1); err == nil {
			t.Error("judged to be well")
		}
	})
}
