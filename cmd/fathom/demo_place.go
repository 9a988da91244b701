//go:build linux

package main

import (
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"fathom/conf"
)

// demoPlace makes a directory for the configurations, keys and sockets of the demo. It is
// a tmpfs that is mounted nowhere and that nothing but this process holds, so it is gone
// with the process, whatever ends that. The tunnels reach it by way of /proc. Where the
// kernel makes no such thing (before Linux 5.2) it is a temporary directory.
func demoPlace() (dir string, remove func(), err error) {
	if fd, err := detachedTmpfs(); err == nil {
		dir := fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), fd)
		if os.Mkdir(filepath.Join(dir, "tried"), 0o700) == nil {
			return dir, func() { unix.Close(fd) }, os.Remove(filepath.Join(dir, "tried"))
		}
		unix.Close(fd)
	}
	dir, err = shortTempDir()
	return dir, func() { os.RemoveAll(dir) }, err
}

// detachedTmpfs returns a descriptor of the root of a new file system.
func detachedTmpfs() (fd int, err error) {
	context, err := unix.Fsopen("tmpfs", unix.FSOPEN_CLOEXEC)
	if err != nil {
		return 0, err
	}
	defer unix.Close(context)
	if err := unix.FsconfigSetString(context, "mode", "0700"); err != nil {
		return 0, err
	}
	if err := unix.FsconfigCreate(context); err != nil {
		return 0, err
	}
	return unix.Fsmount(context, unix.FSMOUNT_CLOEXEC, 0)
}

// shortTempDir makes a directory in which the paths of status sockets are short
// enough, even if TMPDIR is long.
func shortTempDir() (string, error) {
	const pattern = "fathom-demo-*"
	dir, err := os.MkdirTemp("", pattern)
	if err == nil && len(filepath.Join(dir, "a", statusSocket)) > conf.MaxSocketPath {
		os.Remove(dir)
		dir, err = os.MkdirTemp("/tmp", pattern)
	}
	if err != nil {
		return "", withHint(fmt.Errorf("make a directory for the configuration: %w", err), "set TMPDIR to a directory that is writable")
	}
	return dir, nil
}
