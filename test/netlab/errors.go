package netlab

import (
	"errors"
	"fmt"
)

var (
	// ErrClosed means that the laboratory is closed.
	ErrClosed = errors.New("laboratory is closed")
	// ErrExists means that the name is taken.
	ErrExists = errors.New("name is taken")
	// ErrNotLiteral means that a host name was given where only an address
	// and port will do: names are resolved outside the namespace.
	ErrNotLiteral = errors.New("not an IP address and port")
	// ErrEntered means that the program is inside a user namespace that
	// EnterUserNamespace made; entering another would not help.
	ErrEntered = errors.New("already inside a user namespace of the laboratory")
)

// Error says which step failed, on which host.
type Error struct {
	Op   string // such as "add route 10.2.0.0/24"
	Host string // empty when the step concerns no single host
	Err  error
}

func (e *Error) Error() string {
	if e.Host == "" {
		return fmt.Sprintf("netlab: %s: %v", e.Op, e.Err)
	}
	return fmt.Sprintf("netlab: host %s: %s: %v", e.Host, e.Op, e.Err)
}

func (e *Error) Unwrap() error { return e.Err }

// MissingError names something that the machine does not grant the laboratory.
type MissingError struct {
	What string // such as "/dev/net/tun"
	Err  error  // what the kernel said
	Hint string // what a person can do about it
}

func (e *MissingError) Error() string {
	return fmt.Sprintf("%s: %v: %s", e.What, e.Err, e.Hint)
}

func (e *MissingError) Unwrap() error { return e.Err }
