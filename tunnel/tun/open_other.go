//go:build !linux

package tun

import (
	"errors"
	"fmt"
)

// Open returns errors.ErrUnsupported.
func Open(name string, _ Config) (*Device, error) {
	return nil, fmt.Errorf("make TUN device %s: %w", name, errors.ErrUnsupported)
}
