//go:build linux

package sdlab

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// systemd is the program that becomes PID 1.
const systemd = "/lib/systemd/systemd"

// unit runs the script. Its end ends the system.
const unit = `[Unit]
After=basic.target
Wants=basic.target
[Service]
Type=oneshot
ExecStart=/bin/bash -eu /run/lab/script
ExecStopPost=/bin/sh -c 'echo $EXIT_STATUS >/run/lab/out/code; systemctl exit --no-block'
StandardOutput=file:/run/lab/out/output
StandardError=inherit
`

// mount is a call of mount(2) on a path below the new root.
type mount struct {
	source, path, kind string
	flags              uintptr
	data               string
}

// boot makes the root and becomes PID 1. It runs in the new namespaces.
func (o order) boot() error {
	lower := o.Root
	if lower == "" {
		lower = "/"
	}
	root := filepath.Join(o.Mount, "root")
	for _, step := range []func() error{
		func() error { return unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, "") },
		func() error { return unix.Mount("sdlab", o.Mount, "tmpfs", 0, "mode=755") },
		func() error { return directories(o.Mount, "upper", "work", "root") },
		func() error {
			options := fmt.Sprintf("lowerdir=%s,upperdir=%s/upper,workdir=%s/work", lower, o.Mount, o.Mount)
			return unix.Mount("overlay", root, "overlay", 0, options)
		},
		func() error { return mountAll(root) },
		func() error { return o.putFiles(root) },
		loopbackUp,
		func() error { return enterRoot(root) },
	} {
		if err := step(); err != nil {
			return err
		}
	}
	return unix.Exec(systemd, []string{systemd, "--unit=lab.service", "--log-target=null", "--show-status=no"},
		[]string{"container=sdlab", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"})
}

// mountAll mounts what a booted system has. Only the sysctls of the network, which is
// its own, can be changed.
func mountAll(root string) error {
	for _, m := range []mount{
		{"run", "run", "tmpfs", 0, "mode=755"},
		{"tmp", "tmp", "tmpfs", 0, "mode=1777"},
		{"proc", "proc", "proc", 0, ""},
		{"proc/sys", "proc/sys", "", unix.MS_BIND, ""},
		{"", "proc/sys", "", unix.MS_REMOUNT | unix.MS_BIND | unix.MS_RDONLY, ""},
		{"proc/sys/net", "proc/sys/net", "", unix.MS_BIND, ""},
		{"", "proc/sys/net", "", unix.MS_REMOUNT | unix.MS_BIND, ""},
		{"sysfs", "sys", "sysfs", unix.MS_RDONLY, ""},
		{"cgroup2", "sys/fs/cgroup", "cgroup2", 0, ""},
		{"dev", "dev", "tmpfs", unix.MS_NOSUID, "mode=755"},
	} {
		if m.flags&unix.MS_BIND != 0 && m.source != "" {
			m.source = filepath.Join(root, m.source)
		}
		if err := unix.Mount(m.source, filepath.Join(root, m.path), m.kind, m.flags, m.data); err != nil {
			return fmt.Errorf("mount /%s: %w", m.path, err)
		}
	}
	dev := filepath.Join(root, "dev")
	if err := directories(dev, "net", "pts", "shm"); err != nil {
		return err
	}
	for _, d := range []struct {
		name         string
		major, minor uint32
	}{{"null", 1, 3}, {"zero", 1, 5}, {"full", 1, 7}, {"random", 1, 8}, {"urandom", 1, 9}, {"tty", 5, 0}, {"net/tun", 10, 200}} {
		path := filepath.Join(dev, d.name)
		if err := unix.Mknod(path, unix.S_IFCHR, int(unix.Mkdev(d.major, d.minor))); err != nil {
			return fmt.Errorf("make /dev/%s: %w", d.name, err)
		}
		if err := os.Chmod(path, 0o666); err != nil {
			return err
		}
	}
	for _, m := range []mount{
		{"devpts", "pts", "devpts", 0, "newinstance,ptmxmode=0666,mode=620,gid=5"},
		{"shm", "shm", "tmpfs", 0, "mode=1777"},
	} {
		if err := unix.Mount(m.source, filepath.Join(dev, m.path), m.kind, m.flags, m.data); err != nil {
			return fmt.Errorf("mount /dev/%s: %w", m.path, err)
		}
	}
	for name, target := range map[string]string{"ptmx": "pts/ptmx", "fd": "/proc/self/fd", "stdin": "/proc/self/fd/0", "stdout": "/proc/self/fd/1", "stderr": "/proc/self/fd/2"} {
		if err := os.Symlink(target, filepath.Join(dev, name)); err != nil {
			return err
		}
	}
	return nil
}

// putFiles puts the script, its unit and the files below /run.
func (o order) putFiles(root string) error {
	run := filepath.Join(root, "run")
	if err := directories(run, "systemd/system", "lab/out", "lab/files", "lab/changed"); err != nil {
		return err
	}
	if err := unix.Mount(filepath.Join(o.Mount, "upper"), filepath.Join(run, "lab/changed"), "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("mount what has changed: %w", err)
	}
	if err := unix.Mount(o.Out, filepath.Join(run, "lab/out"), "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("mount the directory for the output: %w", err)
	}
	if o.Files != "" {
		if err := unix.Mount(o.Files, filepath.Join(run, "lab/files"), "", unix.MS_BIND, ""); err != nil {
			return fmt.Errorf("mount %s: %w", o.Files, err)
		}
	}
	for path, text := range map[string]string{"lab/script": o.Script, "systemd/system/lab.service": unit} {
		if err := os.WriteFile(filepath.Join(run, path), []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// enterRoot makes a directory the root of this mount namespace. systemd's credentials
// need mounts that propagate.
func enterRoot(root string) error {
	if err := os.Mkdir(filepath.Join(root, "old"), 0o700); err != nil {
		return err
	}
	if err := os.Chdir(root); err != nil {
		return err
	}
	if err := unix.PivotRoot(".", "old"); err != nil {
		return fmt.Errorf("change the root: %w", err)
	}
	if err := unix.Unmount("/old", unix.MNT_DETACH); err != nil {
		return fmt.Errorf("unmount the old root: %w", err)
	}
	if err := os.Remove("/old"); err != nil {
		return err
	}
	return unix.Mount("", "/", "", unix.MS_REC|unix.MS_SHARED, "")
}

func loopbackUp() error {
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		return err
	}
	return netlink.LinkSetUp(lo)
}

func directories(in string, names ...string) error {
	for _, name := range names {
		if err := os.MkdirAll(filepath.Join(in, name), 0o755); err != nil {
			return err
		}
	}
	return nil
}
