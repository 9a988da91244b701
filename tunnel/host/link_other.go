//go:build !linux

package host

import (
	"errors"
	"net"
	"net/netip"
	"time"
)

// Link exists on Linux only.
type Link struct{ upkeep }

// Attach returns errors.ErrUnsupported.
func Attach(string, Config) (*Link, error) { return nil, errors.ErrUnsupported }

// Release returns errors.ErrUnsupported.
func Release(string, Config, []netip.Prefix) error { return errors.ErrUnsupported }

// SetMTU returns errors.ErrUnsupported.
func (*Link) SetMTU(int) error { return errors.ErrUnsupported }

// Route returns errors.ErrUnsupported.
func (*Link) Route(Route) error { return errors.ErrUnsupported }

// Guard returns errors.ErrUnsupported.
func (*Link) Guard(netip.Prefix) error { return errors.ErrUnsupported }

// Withdraw returns errors.ErrUnsupported.
func (*Link) Withdraw(netip.Prefix) error { return errors.ErrUnsupported }

// Regroup returns errors.ErrUnsupported.
func (*Link) Regroup() error { return errors.ErrUnsupported }

// LargestMTU returns errors.ErrUnsupported.
func (*Link) LargestMTU() (int, error) { return 0, errors.ErrUnsupported }

// Egress returns errors.ErrUnsupported.
func (*Link) Egress(Flow) (Egress, error) { return Egress{}, errors.ErrUnsupported }

// Ways returns none.
func (*Link) Ways(netip.AddrPort, []string, []netip.AddrPort) []Way { return nil }

// ReversePathDrops returns none.
func (*Link) ReversePathDrops([]Way) []string { return nil }

// Mark returns 0.
func (*Link) Mark() uint32 { return 0 }

// DefaultTable returns 0.
func (*Link) DefaultTable() int { return 0 }

// Divert returns errors.ErrUnsupported.
func (*Link) Divert([]netip.AddrPort) error { return errors.ErrUnsupported }

// Resolver returns net.DefaultResolver.
func Resolver(uint32) *net.Resolver { return net.DefaultResolver }

// Forget does nothing.
func (*Link) Forget() {}

// Watch returns errors.ErrUnsupported.
func (*Link) Watch(chan<- struct{}, *Changes) (*Watcher, error) { return nil, errors.ErrUnsupported }

// Restore does nothing.
func (*Link) Restore(time.Time) ([]Repair, time.Time) { return nil, time.Time{} }

// Close does nothing.
func (*Link) Close() {}

// KeepGuards does nothing.
func (*Link) KeepGuards() {}

// Disown returns errors.ErrUnsupported.
func (*Link) Disown() error { return errors.ErrUnsupported }
