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
	if family == netlink.FAMILY_V6 && (errors.Is(err, unix.EACCES) || errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.EAFNOSUPPORT)) {
		return fmt.Errorf("%w: %w", ErrNoIPv6, err)
	}
	return err
}
