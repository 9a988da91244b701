package host

import (
	"errors"
	"net/netip"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Release removes what a process for the device has left on the host, and no next one
// will take over: rules, guards and the sysctl of a default route. Of the Config only
// Table and Saved count. The guards of the prefixes go even where no rule tells that
// they are ours. What belongs to other tunnels stays. It is for a device whose process
// has ended, and does nothing where nothing was left.
func Release(name string, config Config, prefixes []netip.Prefix) error {
	l, err := newLink(name, config)
	if err != nil {
		return err
	}
	defer l.Close()
	l.table = config.Table
	// The device may be there for a moment: the one who has stored it closes it.
	if l.link, err = l.handle.LinkByName(name); err != nil {
		l.link, l.gone = &netlink.GenericLink{LinkAttrs: netlink.LinkAttrs{Name: name, Index: -1}}, true
	}
	end, err := takeTurn()
	if err != nil {
		return err
	}
	defer end()
	if _, err := l.others(); err != nil {
		return err
	}
	if err := l.removeStale(); err != nil {
		return err
	}
	others, err := l.guardedByOthers()
	if err != nil {
		return err
	}
	var failed error
	for _, prefix := range prefixes {
		i := guardIn(prefix, l.tableOf(prefix))
		if others[prefix] {
			continue
		}
		// ESRCH: it is not there.
		if err := withoutFamily(l.handle.RouteDel(guardRoute(i)), familyOf(prefix.Addr())); err != nil && !errors.Is(err, unix.ESRCH) && !errors.Is(err, ErrNoIPv6) {
			failed = errors.Join(failed, err)
		}
	}
	return failed
}
