//go:build linux

package netlab

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// UserLinkConfig describes a link made in this process. The zero value is a
// perfect one without addresses.
type UserLinkConfig struct {
	AddrA, AddrB []netip.Prefix // of each end; see Prefixes
	NameA, NameB string         // device names; by default the host's next free wanN

	// DeviceMTU is the MTU in bytes of both devices, which the hosts' kernels
	// know; 0 means EthernetMTU. They do not know Conditions.MTU.
	DeviceMTU int

	AtoB, BtoA Conditions
	Seed       uint64 // for chance; the same seed brings the same fates
}

// UserLink connects two hosts by two TUN devices with a scheduler between
// them. Its methods may be called concurrently and while traffic flows.
//
// The link drops packets to link-local multicast (router solicitations, listener
// reports), which a kernel sends on its own, so that they do not disturb a seeded
// run.
type UserLink struct {
	A, B       *Interface
	AtoB, BtoA *Direction

	stop func() error
}

// deviceQueue is how many packets may wait in a device for this process. Long,
// so that Conditions.Queue is the one that counts.
const deviceQueue = 20_000

// UserLink lays a link between two hosts and brings it up.
func (l *Lab) UserLink(a, b *Host, config UserLinkConfig) *UserLink {
	link := &UserLink{A: a.reserve(config.NameA, "wan"), B: b.reserve(config.NameB, "wan")}
	l.check("", fmt.Sprintf("connect %s with %s", link.A, link.B), link.lay(&config))
	l.own(link)
	link.A.AddAddress(config.AddrA...)
	link.B.AddAddress(config.AddrB...)
	return link
}

func (l *UserLink) lay(config *UserLinkConfig) (err error) {
	var fds []int
	defer func() {
		if err != nil {
			closeAll(fds)
		}
	}()
	for _, end := range []*Interface{l.A, l.B} {
		fd, err := end.openTUN(config.DeviceMTU)
		if err != nil {
			return err
		}
		fds = append(fds, fd)
	}
	wake, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return err
	}
	fds = append(fds, wake)

	l.AtoB = newDirection(AtoB, fds[0], fds[1], wake, config.Seed)
	l.BtoA = newDirection(BtoA, fds[1], fds[0], wake, config.Seed)
	l.AtoB.Set(config.AtoB)
	l.BtoA.Set(config.BtoA)
	var running sync.WaitGroup
	running.Go(l.AtoB.run)
	running.Go(l.BtoA.run)
	l.stop = sync.OnceValue(func() error {
		// The counter is never read down, so both directions see it.
		_, err := unix.Write(wake, slices.Repeat([]byte{1}, 8))
		running.Wait()
		return errors.Join(err, closeAll(fds))
	})
	return nil
}

func closeAll(fds []int) error {
	var errs []error
	for _, fd := range fds {
		errs = append(errs, unix.Close(fd))
	}
	return errors.Join(errs...)
}

// openTUN makes the device of a reserved interface and brings it up.
func (i *Interface) openTUN(mtu int) (fd int, err error) {
	if mtu == 0 {
		mtu = EthernetMTU
	}
	err = i.host.Do(func() error {
		fd, err = openTUN(i.name)
		return err
	})
	if err != nil {
		return -1, err
	}
	nl := i.host.nl
	err = i.resolve()
	for _, change := range []func(netlink.Link) error{
		func(l netlink.Link) error { return nl.LinkSetMTU(l, mtu) },
		func(l netlink.Link) error { return nl.LinkSetTxQLen(l, deviceQueue) },
		nl.LinkSetUp,
	} {
		if err == nil {
			err = i.set(change)
		}
	}
	if err != nil {
		unix.Close(fd)
	}
	return fd, err
}

// Set puts both directions under the same conditions, now.
func (l *UserLink) Set(c Conditions) {
	l.AtoB.Set(c)
	l.BtoA.Set(c)
}

// Update changes the conditions of both directions, now.
func (l *UserLink) Update(change func(*Conditions)) {
	l.AtoB.Update(change)
	l.BtoA.Update(change)
}

// SetFilter puts f in front of both directions; nil takes it away.
func (l *UserLink) SetFilter(f Filter) {
	l.AtoB.SetFilter(f)
	l.BtoA.SetFilter(f)
}

// Close takes the link away, with the packets under way. Lab.Close does it too.
func (l *UserLink) Close() error { return l.stop() }
