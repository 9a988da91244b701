//go:build !linux

package host

import "errors"

// Watcher exists on Linux only.
type Watcher struct{}

// Watch returns errors.ErrUnsupported.
func Watch(*Changes) (*Watcher, error) { return nil, errors.ErrUnsupported }

// Close does nothing.
func (*Watcher) Close() {}
