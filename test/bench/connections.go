//go:build linux

package main

import (
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/netip"
	"os"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"fathom/test/netlab"
)

// Short connections: a opens one, b sends connectionSize bytes and closes it.
const (
	connectionSize = 10_000
	connectionRate = 1000 // begun a second, where their time is measured
	// connectionWorkers make connections one after the other: more than a machine has
	// cores, since each mostly waits.
	connectionWorkers = 32
)

var shortConnections = &load{
	name: fmt.Sprintf("connections of %d kB", connectionSize/1000),
	columns: []column{
		{"completed a second", higher}, {"CPU s per 1000", lower},
		{fmt.Sprintf("ms of one, at %d a second, median", connectionRate), lower}, {"ms, p99", lower},
	},
	measure: func(v *variant, length time.Duration) ([]float64, error) {
		stop, to, err := serveConnections(v)
		if err != nil {
			return nil, err
		}
		defer stop()
		before, err := cpuSeconds(v.pids)
		if err != nil {
			return nil, err
		}
		all, err := makeConnections(v, to, length, 0)
		if err != nil {
			return nil, err
		}
		after, err := cpuSeconds(v.pids)
		if err != nil {
			return nil, err
		}
		paced, err := makeConnections(v, to, length, connectionRate)
		if err != nil {
			return nil, err
		}
		cpu := (after - before) / float64(len(all)) * 1000
		if len(v.pids) == 0 {
			cpu = math.NaN()
		}
		return []float64{float64(len(all)) / length.Seconds(), cpu, quantile(paced, 0.5), quantile(paced, 0.99)}, nil
	},
}

// serveConnections answers connections to b, until it is stopped.
func serveConnections(v *variant) (stop func(), to netip.AddrPort, err error) {
	listener, err := v.b.Listen("tcp4", net.JoinHostPort(v.address, "0"))
	if err != nil {
		return nil, to, err
	}
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				conn.SetDeadline(time.Now().Add(patience))
				conn.Write(filler[:connectionSize])
				conn.Close()
			}()
		}
	}()
	return func() { listener.Close() }, netip.MustParseAddrPort(listener.Addr().String()), nil
}

// makeConnections opens connections for a time, perSecond of them or, with 0, as many as
// there can be. It returns how long each took in milliseconds, the shortest first. One
// that begins late, since those before it took too long, counts from when it should have
// begun.
func makeConnections(v *variant, to netip.AddrPort, length time.Duration, perSecond int) (took []float64, err error) {
	var mu sync.Mutex
	var running sync.WaitGroup
	began := time.Now()
	for i := range connectionWorkers {
		running.Go(func() {
			var mine []float64
			sockets := socketsOf{host: v.a}
			defer sockets.close()
			failed := func() error {
				for n := i; ; n += connectionWorkers {
					start := time.Now()
					if perSecond > 0 {
						due := began.Add(time.Duration(n) * time.Second / time.Duration(perSecond))
						if start = due; time.Until(due) > 0 {
							time.Sleep(time.Until(due))
							start = time.Now() // the clock's lateness is not the tunnel's
						}
					}
					if start.Sub(began) >= length {
						return nil
					}
					fd, err := sockets.next()
					if err != nil {
						return err
					}
					if err := readConnection(fd, to); err != nil {
						return err
					}
					mine = append(mine, time.Since(start).Seconds()*1e3)
				}
			}()
			mu.Lock()
			defer mu.Unlock()
			took = append(took, mine...)
			if err == nil {
				err = failed
			}
		})
	}
	running.Wait()
	if err == nil && len(took) == 0 {
		err = errNothing
	}
	slices.Sort(took)
	return took, err
}

// socketsOf makes sockets in a host, many at a time: to enter it for each would cost more
// than the connection.
type socketsOf struct {
	host *netlab.Host
	made []int
}

func (s *socketsOf) next() (fd int, err error) {
	if len(s.made) == 0 {
		err := s.host.Do(func() error {
			for range 64 {
				fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
				if err != nil {
					return err
				}
				s.made = append(s.made, fd)
			}
			return nil
		})
		if err != nil {
			return -1, err
		}
	}
	last := len(s.made) - 1
	fd, s.made = s.made[last], s.made[:last]
	return fd, nil
}

func (s *socketsOf) close() {
	for _, fd := range s.made {
		unix.Close(fd)
	}
}

// readConnection connects a socket, reads all that comes, and closes it.
func readConnection(fd int, to netip.AddrPort) error {
	// A port that waits for stray packets could not be used again for a minute.
	err := unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
	if err == nil {
		err = unix.Connect(fd, &unix.SockaddrInet4{Addr: to.Addr().As4(), Port: int(to.Port())})
	}
	conn := os.NewFile(uintptr(fd), "connection")
	defer conn.Close()
	if err != nil && !errors.Is(err, unix.EINPROGRESS) {
		return fmt.Errorf("connect: %w", err)
	}
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	if err := awaitConnected(conn); err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	var chunk [4 << 10]byte
	for got := 0; ; {
		n, err := conn.Read(chunk[:])
		got += n
		switch {
		case errors.Is(err, io.EOF) && got == connectionSize:
			return nil
		case err != nil:
			return fmt.Errorf("after %d bytes: %w", got, err)
		}
	}
}

// awaitConnected waits for the answer to the call that connects.
func awaitConnected(conn *os.File) error {
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = raw.Write(func(fd uintptr) (done bool) {
		code, err := unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_ERROR)
		if failed = err; err == nil && code != 0 {
			failed = unix.Errno(code)
		}
		if failed != nil {
			return true
		}
		_, err = unix.Getpeername(int(fd))
		return err == nil
	})
	return errors.Join(err, failed)
}
