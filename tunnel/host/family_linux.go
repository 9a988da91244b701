package host

import (
	"errors"
	"fmt"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// withoutFamily makes an error of the kernel an ErrNoIPv6 if it says that the host
// lacks the address family. With the sysctl disable_ipv6 there are no IPv6 addresses,
// and no routes into a device, but guards and rules; with the kernel's parameter
// ipv6.disable there is nothing.
func withoutFamily(err error, family int) error {
	if family != netlink.FAMILY_V6 {
		return err
	}
	// What is not supported may as well be a kernel without policy routing.
	unsupported := errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.EAFNOSUPPORT)
	if errors.Is(err, unix.EACCES) || unsupported && !hasIPv6() {
		return fmt.Errorf("%w: %w", ErrNoIPv6, err)
	}
	return err
}

// hasIPv6 reports whether the kernel has the family at all.
func hasIPv6() bool {
	fd, err := unix.Socket(unix.AF_INET6, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err == nil {
		unix.Close(fd)
	}
	return !errors.Is(err, unix.EAFNOSUPPORT)
}

// familyName is what operators call an address family.
func familyName(family int) string {
	if family == unix.AF_INET6 {
		return "IPv6"
	}
	return "IPv4"
}
