//go:build !linux

package tun

import (
	"errors"
	"fmt"
	"os"
)

// Open returns errors.ErrUnsupported.
func Open(name string, _ Config) (*Device, error) {
	return nil, fmt.Errorf("make TUN device %s: %w", name, errors.ErrUnsupported)
}

// isGone reports whether a read failed since the device is closed.
func (*opening) isGone(err error) bool { return errors.Is(err, os.ErrClosed) }
