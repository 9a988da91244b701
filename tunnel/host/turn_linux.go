package host

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// Several tunnels may start at once, as at the start of the host. Each looks where the
// rules of the others stand and adds its own, so they must take turns: else two sets
// share priorities, and it cannot be told any more whose rules are whose.

// turnName is that of an abstract Unix socket, which one process of a network
// namespace can have at a time, and which ends with it.
const turnName = "@fathom/rules"

const (
	turnPoll = 5 * time.Millisecond
	// turnPatience bounds the wait: a turn takes milliseconds, and a program that keeps the
	// name for longer is no tunnel.
	turnPatience = 3 * time.Second
)

// takeTurn waits until no other tunnel adds rules, and returns what ends the turn.
func takeTurn() (end func(), err error) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("take turns with other tunnels: %w", err)
	}
	for deadline := time.Now().Add(turnPatience); ; time.Sleep(turnPoll) {
		err := unix.Bind(fd, &unix.SockaddrUnix{Name: turnName})
		if err == nil || !errors.Is(err, unix.EADDRINUSE) || time.Now().After(deadline) {
			return func() { unix.Close(fd) }, nil
		}
	}
}
