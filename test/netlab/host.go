//go:build linux

package netlab

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// Host is a network namespace: an end host or, after Forward, a router. Its
// methods may be called concurrently.
type Host struct {
	// Set once.
	lab  *Lab
	name string
	ns   netns.NsHandle
	nl   *netlink.Handle // works inside ns from any thread
	id   string

	mu         sync.Mutex // guards what follows
	interfaces []*Interface
	rules      ruleset
}

// baseline is what a host starts with. The kernel lets a new namespace inherit
// some of these from the machine, which must not decide what a test sees. The
// ICMP rate limits are lifted; SetICMPRateLimit puts them back.
var baseline = []struct {
	key, value string
	optional   bool // not in every kernel
}{
	{key: "net.ipv4.ip_forward", value: "0"},
	{key: "net.ipv4.conf.all.rp_filter", value: "0"},
	{key: "net.ipv4.conf.default.rp_filter", value: "0"},
	{key: "net.ipv4.ip_no_pmtu_disc", value: "0"},
	{key: "net.ipv4.tcp_mtu_probing", value: "0", optional: true},
	{key: "net.ipv4.icmp_ratemask", value: "0"},
	{key: "net.ipv4.ping_group_range", value: "0 0", optional: true},
	{key: "net.ipv6.conf.all.forwarding", value: "0", optional: true},
	{key: "net.ipv6.conf.all.disable_ipv6", value: "0", optional: true},
	{key: "net.ipv6.conf.default.disable_ipv6", value: "0", optional: true},
	// Addresses must be usable at once: no duplicate address detection.
	{key: "net.ipv6.conf.all.accept_dad", value: "0", optional: true},
	{key: "net.ipv6.conf.default.accept_dad", value: "0", optional: true},
	{key: "net.ipv6.conf.default.router_solicitations", value: "0", optional: true},
	{key: "net.ipv6.icmp.ratelimit", value: "0", optional: true},
}

func newHost(l *Lab, name string) (_ *Host, err error) {
	ns, err := newNamespace()
	if err != nil {
		return nil, err
	}
	h := &Host{lab: l, name: name, ns: ns}
	defer func() {
		if err != nil {
			h.close()
		}
	}()
	err = h.Do(func() (err error) {
		if h.nl, err = netlink.NewHandle(unix.NETLINK_ROUTE); err != nil {
			return err
		}
		h.id, err = os.Readlink("/proc/thread-self/ns/net")
		return err
	})
	if err != nil {
		return nil, err
	}
	for _, s := range baseline {
		err := h.setSysctl(s.key, s.value)
		if err != nil && !(s.optional && errors.Is(err, os.ErrNotExist)) {
			return nil, err
		}
	}
	lo, err := h.nl.LinkByName("lo")
	if err != nil {
		return nil, err
	}
	return h, h.nl.LinkSetUp(lo)
}

// close removes the devices, which the kernel otherwise does some time after
// the last user of the namespace is gone, and lets the namespace go.
func (h *Host) close() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	var errs []error
	for _, i := range h.interfaces {
		link, err := h.nl.LinkByIndex(i.index)
		if err != nil {
			continue // its peer took it along
		}
		if err := h.nl.LinkDel(link); err != nil && !errors.Is(err, unix.ENODEV) {
			errs = append(errs, fmt.Errorf("remove %s: %w", i, err))
		}
	}
	if h.nl != nil {
		h.nl.Close()
	}
	return errors.Join(append(errs, h.ns.Close())...)
}

// Name returns the name given to Lab.Host.
func (h *Host) Name() string { return h.name }

func (h *Host) String() string { return h.name }

// ID returns the kernel's name of the namespace, such as "net:[4026532281]":
// what readlink /proc/PID/ns/net prints for a process inside.
func (h *Host) ID() string { return h.id }

// Do runs fn on a thread inside the host and returns its error. Sockets and
// files that fn opens, and processes it starts, belong to the host and stay
// so; goroutines it starts do not. fn runs on another goroutine than the
// caller's, but may call testing.TB.Fatal: the caller then ends too.
func (h *Host) Do(fn func() error) error {
	return enter(h.ns, fn)
}

// check reports a failed step of this host.
func (h *Host) check(op string, err error) { h.lab.check(h.name, op, err) }

// Interface finds an interface by its name, also one that the laboratory did
// not make: the device of a tunnel, say.
func (h *Host) Interface(name string) *Interface {
	i, err := h.find(name)
	h.check("find interface "+name, err)
	return i
}

// AwaitInterface waits until a process in the host has made the interface, at
// most for the given time.
func (h *Host) AwaitInterface(name string, atMost time.Duration) *Interface {
	for deadline := time.Now().Add(atMost); ; time.Sleep(pollInterval) {
		i, err := h.find(name)
		if err == nil {
			return i
		}
		if time.Now().After(deadline) {
			h.check("await interface "+name, err)
		}
	}
}

// pollInterval is how often AwaitInterface looks.
const pollInterval = 5 * time.Millisecond

func (h *Host) find(name string) (*Interface, error) {
	h.mu.Lock()
	for _, i := range h.interfaces {
		if i.name == name && i.index != 0 {
			h.mu.Unlock()
			return i, nil
		}
	}
	h.mu.Unlock()
	link, err := h.nl.LinkByName(name)
	if err != nil {
		return nil, err
	}
	return &Interface{host: h, name: name, index: link.Attrs().Index}, nil
}
