//go:build !linux

package host

// Watcher exists on Linux only.
type Watcher struct{}

// Close does nothing.
func (*Watcher) Close() {}
