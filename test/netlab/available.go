//go:build linux

package netlab

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Feature is something that a laboratory asks of the machine.
type Feature int

const (
	Namespaces Feature = iota // network namespaces and veth
	Filters                   // nftables: CutPTB, DropLonger, LossPercent, ClearDF
	NAT                       // nftables: Masquerade
	TUN                       // TUN devices: UserLink, and tunnels
	Packets                   // packet sockets: Capture
)

// Everything is every Feature.
var Everything = []Feature{Namespaces, Filters, NAT, TUN, Packets}

// Available tries the features (Everything, when none is named) in a namespace
// of its own. It returns one [*MissingError] for each missing feature, joined.
func Available(features ...Feature) error {
	if len(features) == 0 {
		features = Everything
	}
	ns, err := newNamespace()
	if err != nil {
		return &MissingError{What: "network namespace", Err: err, Hint: privilegeHint(err)}
	}
	defer ns.Close()
	var missing []error
	for _, f := range features {
		err := enter(ns, tries[f].try)
		if err == nil {
			continue
		}
		m := new(MissingError)
		if !errors.As(err, &m) {
			m = &MissingError{What: tries[f].what, Err: err, Hint: cmp.Or(restrictionHint(err), tries[f].hint)}
		}
		missing = append(missing, m)
	}
	return errors.Join(missing...)
}

// tries is indexed by Feature; each try is made inside a fresh namespace.
var tries = [...]struct {
	what string
	try  func() error
	hint string
}{
	Namespaces: {"veth pair", tryVeth, "the kernel needs CONFIG_VETH: sudo modprobe veth"},
	Filters: {"nftables", func() error {
		return (&ruleset{cutPTB: true, cutICMP: true, dropLonger: 1, lossPercent: 1, clearDF: true}).install()
	}, "the kernel needs CONFIG_NF_TABLES_INET and CONFIG_NFT_NUMGEN: sudo modprobe -a nf_tables nft_numgen"},
	NAT: {"masquerading by nftables", func() error {
		return (&ruleset{masquerade: []string{"eth0"}}).install()
	}, "the kernel needs CONFIG_NFT_MASQ: sudo modprobe -a nft_chain_nat nft_masq"},
	TUN: {tunDevice, tryTUN, "the kernel needs CONFIG_TUN: sudo modprobe tun"},
	Packets: {"packet socket", func() error {
		fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		if err == nil {
			unix.Close(fd)
		}
		return err
	}, "the kernel needs CONFIG_PACKET: sudo modprobe af_packet"},
}

func tryVeth() error {
	nl, err := netlink.NewHandle(unix.NETLINK_ROUTE)
	if err != nil {
		return err
	}
	defer nl.Close()
	attrs := netlink.NewLinkAttrs()
	attrs.Name = "try0"
	return nl.LinkAdd(&netlink.Veth{LinkAttrs: attrs, PeerName: "try1"})
}

func tryTUN() error {
	fd, err := openTUN("try%d")
	if err != nil {
		return explainTUN(err)
	}
	return unix.Close(fd)
}

// explainTUN explains an error of openTUN as far as it is about tunDevice.
func explainTUN(err error) error {
	var path *os.PathError
	if !errors.As(err, &path) {
		return err // the device was open, but TUNSETIFF was refused
	}
	m := &MissingError{What: tunDevice, Err: path.Err, Hint: "run `sudo modprobe tun`"}
	switch {
	case errors.Is(path, os.ErrPermission):
		m.Hint = "run `sudo chmod 0666 " + tunDevice + "` (udev's default mode)"
	case errors.Is(path, os.ErrNotExist):
		m.Hint += "; into a container pass the device (docker run --device " + tunDevice + ")"
	}
	return m
}

// privilegeHint explains why no namespace could be made.
func privilegeHint(err error) string {
	if !errors.Is(err, os.ErrPermission) {
		return "the kernel needs CONFIG_NET_NS, and room in user.max_net_namespaces"
	}
	if err := tryUserNamespace(); err != nil {
		return "not privileged, and a user namespace is no way out: " + err.Error()
	}
	return "not privileged: run as root, or inside a user namespace (netlab.Main does so; by hand: unshare -Urn)"
}

// restrictionHint explains a refusal inside a namespace that could be made,
// and is empty when no restriction that it knows of is in force.
func restrictionHint(err error) string {
	if !errors.Is(err, os.ErrPermission) {
		return ""
	}
	return strings.Join(restrictions(), "; ")
}

// tryUserNamespace makes a user namespace for a program that does not exist:
// the kernel's complaint tells how far it came.
func tryUserNamespace() error {
	c := exec.Command("/proc/self/no-such-program")
	c.SysProcAttr = userNamespace()
	err := c.Start()
	if errors.Is(err, syscall.ENOENT) {
		return nil
	}
	if err == nil {
		c.Wait()
		return nil
	}
	return noUserNamespace(err)
}

func noUserNamespace(err error) *MissingError {
	m := &MissingError{What: "user namespace", Err: err, Hint: strings.Join(restrictions(), "; ")}
	switch {
	case m.Hint != "":
		m.Hint = "user namespaces are switched off: " + m.Hint
	case errors.Is(err, syscall.ENOSPC):
		m.Hint = "user namespaces are used up: raise user.max_user_namespaces, or run as root"
	case errors.Is(err, os.ErrPermission):
		m.Hint = "user namespaces are forbidden, by a container or a seccomp filter: run as root"
	default:
		m.Hint = "the kernel needs CONFIG_USER_NS: run as root"
	}
	return m
}

// restrictions lists the switches that stand against user namespaces, each
// with the command that lifts it.
func restrictions() (set []string) {
	for _, s := range []struct{ key, bad, good string }{
		{"kernel.unprivileged_userns_clone", "0", "1"},                 // Debian
		{"user.max_user_namespaces", "0", "10000"},                     // RHEL 7
		{"kernel.apparmor_restrict_unprivileged_userns", "1", "0"},     // Ubuntu since 23.10
		{"kernel.apparmor_restrict_unprivileged_unconfined", "1", "0"}, // the same
		{"user.max_net_namespaces", "0", "10000"},
	} {
		value, err := os.ReadFile("/proc/sys/" + strings.ReplaceAll(s.key, ".", "/"))
		if err == nil && strings.TrimSpace(string(value)) == s.bad {
			set = append(set, fmt.Sprintf("run `sudo sysctl %s=%s`", s.key, s.good))
		}
	}
	return set
}
