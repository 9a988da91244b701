//go:build !linux

package tun

import (
	"errors"
	"fmt"
	"os"
)

// HandOver returns errors.ErrUnsupported.
func (*Device) HandOver(func(queues []int) error) error {
	return fmt.Errorf("hand over the TUN device: %w", errors.ErrUnsupported)
}

// Adopt returns errors.ErrUnsupported.
func Adopt(name string, _ Config, _ []*os.File) (*Device, error) {
	return nil, fmt.Errorf("take over TUN device %s: %w", name, errors.ErrUnsupported)
}

// NameOf returns an empty name.
func NameOf(*os.File) string { return "" }
