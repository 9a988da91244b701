//go:build linux

package test

import (
	"net"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// rival is a pair with a TCP transfer, to be compared with others that run at the same
// time over links of their own. So whatever the machine does, it does to all of them.
type rival struct {
	*userPair
	transfer *transfer
}

// tosOf sets the TOS octet of what a connection sends from now on.
func tosOf(t testing.TB, conn *net.TCPConn, tos int) {
	t.Helper()
	raw, err := conn.SyscallConn()
	check(t, err)
	var failed error
	check(t, raw.Control(func(fd uintptr) { failed = unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_TOS, tos) }))
	check(t, failed)
}

// controlledBy chooses the congestion control of a connection.
func controlledBy(t testing.TB, conn *net.TCPConn, algorithm string) {
	t.Helper()
	raw, err := conn.SyscallConn()
	check(t, err)
	var failed error
	check(t, raw.Control(func(fd uintptr) {
		failed = unix.SetsockoptString(int(fd), unix.IPPROTO_TCP, unix.TCP_CONGESTION, algorithm)
	}))
	check(t, failed)
}

// compete begins the transfers of pairs that are up, from a to b. CUBIC is what most
// hosts have; tos is their TOS octet.
func compete(t testing.TB, tos int, pairs ...*userPair) (rivals []*rival) {
	t.Helper()
	for _, l := range pairs {
		client, server := connect(t, l.A, l.B, innerB4)
		controlledBy(t, client, "cubic")
		tosOf(t, client, tos)
		rivals = append(rivals, &rival{l, transferOver(t, client, server)})
	}
	return rivals
}

// movedIn returns how many bytes of each transfer arrive within a time, at least 1.
func movedIn(window time.Duration, rivals ...*rival) (bytes []float64) {
	var before []int64
	for _, r := range rivals {
		before = append(before, r.transfer.arrived.Load())
	}
	time.Sleep(window)
	for i, r := range rivals {
		bytes = append(bytes, max(1, float64(r.transfer.arrived.Load()-before[i])))
	}
	return bytes
}

// changesSince counts how often the PLPMTU of a has changed since then.
func (l *userPair) changesSince(t testing.TB, then time.Time) (n int) {
	t.Helper()
	for _, change := range statusOf(t, l.a).Peers[0].PMTUD.History {
		if change.At.After(then) {
			n++
		}
	}
	return n
}

// falseAlarms returns how many of a there were. The history leaves them out, so that
// changesSince alone would not see a PLPMTU that goes to and fro for ever.
func (l *userPair) falseAlarms(t testing.TB) int {
	t.Helper()
	return statusOf(t, l.a).Peers[0].PMTUD.FalseAlarms
}

// mbits says how much that is, as a rate.
func mbits(bytes float64, window time.Duration) float64 { return bytes * 8 / 1e6 / window.Seconds() }
