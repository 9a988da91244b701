//go:build linux

package sdlab

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Config is what to boot and what to do there.
type Config struct {
	// Root is the root directory of the system, which is not changed. Empty: that of
	// this machine.
	Root string
	// Script is for bash. It runs when the system has booted.
	Script string
	// Files is a directory whose content the script finds in the directory FilesDir.
	// Empty: none.
	Files string
	// Inside runs a function in the network namespace of the system, such as that of
	// [fathom/test/netlab.Host.Do]. Nil: the system has one of its own, with nothing
	// but the loopback.
	Inside func(func() error) error `json:"-"`
}

// FilesDir is where the script finds Config.Files.
const FilesDir = "/run/lab/files"

// ChangedDir is where the script finds the files that have been written since the boot
// and are still there, outside of /run, /tmp and the like. A character device there is a
// file of the root that has been removed: the upper layer of overlayfs.
const ChangedDir = "/run/lab/changed"

// Result is what the script has left.
type Result struct {
	Output string // of the script; of the system where that has not come so far
	Code   int    // the script's exit code
}

// environment is the variable by which Run tells this program, started again, what to
// boot. Its value is an order in JSON.
const environment = "FATHOM_SDLAB"

// order is what Run tells.
type order struct {
	Config
	Mount string // an empty directory to mount on
	Out   string // a directory for what comes out
}

// Main takes over where this program is to be the system that Run boots. Else it
// returns.
func Main() {
	text := os.Getenv(environment)
	if text == "" {
		return
	}
	var o order
	err := json.Unmarshal([]byte(text), &o)
	if err == nil {
		err = o.boot() // does not return where it succeeds
	}
	fmt.Fprintln(os.Stderr, "sdlab:", err)
	os.Exit(1)
}

// Run boots a system, runs the script and shuts the system down. When ctx ends, so do
// all of its processes. The error says that the script could not be run to its end.
func Run(ctx context.Context, c Config) (r Result, err error) {
	o := order{Config: c}
	if o.Mount, err = os.MkdirTemp("", "sdlab"); err != nil {
		return r, err
	}
	defer os.Remove(o.Mount)
	if o.Out, err = os.MkdirTemp("", "sdlab-out"); err != nil {
		return r, err
	}
	defer os.RemoveAll(o.Out)
	group, err := newCgroup()
	if err != nil {
		return r, err
	}
	defer group.remove()
	text, err := json.Marshal(o)
	if err != nil {
		return r, err
	}

	self, err := os.Executable()
	if err != nil {
		return r, err
	}
	system := exec.CommandContext(ctx, self)
	system.Env = append(os.Environ(), environment+"="+string(text))
	var console bytes.Buffer
	system.Stdout, system.Stderr = &console, &console
	system.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC | unix.CLONE_NEWCGROUP,
		UseCgroupFD: true, CgroupFD: group.fd,
		Pdeathsig: syscall.SIGKILL,
	}
	run := c.Inside
	if run == nil {
		system.SysProcAttr.Cloneflags |= unix.CLONE_NEWNET
		run = func(run func() error) error { return run() }
	}
	ran := run(system.Run)
	output, err := os.ReadFile(filepath.Join(o.Out, "output"))
	if err != nil {
		return Result{Output: console.String()}, fmt.Errorf("the system has not booted: %w", errors.Join(ran, ctx.Err()))
	}
	r.Output = string(output)
	code, err := os.ReadFile(filepath.Join(o.Out, "code"))
	if err == nil {
		r.Code, err = strconv.Atoi(strings.TrimSpace(string(code)))
	}
	if err != nil {
		return r, fmt.Errorf("the script has not ended: %w", errors.Join(ran, ctx.Err()))
	}
	return r, nil
}

// Available returns an error that says what the machine lacks, nil if it lacks nothing.
func Available() error {
	if os.Geteuid() != 0 {
		return errors.New("only root can boot a systemd")
	}
	if _, err := os.Stat(systemd); err != nil {
		return fmt.Errorf("%w (apt-get install systemd)", err)
	}
	group, err := newCgroup()
	if err != nil {
		return err
	}
	defer group.remove()
	filesystems, err := os.ReadFile("/proc/filesystems")
	if err == nil && !strings.Contains(string(filesystems), "\toverlay\n") {
		err = errors.New("the kernel has no overlayfs")
	}
	return err
}

// cgroup is a control group of version 2 for the system.
type cgroup struct {
	path string
	fd   int
}

func newCgroup() (g cgroup, err error) {
	for _, tree := range []string{"/sys/fs/cgroup", "/sys/fs/cgroup/unified"} {
		if _, err := os.Stat(filepath.Join(tree, "cgroup.controllers")); err != nil {
			continue
		}
		if g.path, err = os.MkdirTemp(tree, "sdlab"); err != nil {
			return g, fmt.Errorf("make a control group: %w", err)
		}
		if g.fd, err = unix.Open(g.path, unix.O_DIRECTORY|unix.O_CLOEXEC, 0); err != nil {
			os.Remove(g.path)
			return g, fmt.Errorf("open %s: %w", g.path, err)
		}
		return g, nil
	}
	return g, errors.New("the machine has no control groups of version 2")
}

// remove removes the group and those that the system has made below it, when their
// processes are gone.
func (g cgroup) remove() {
	unix.Close(g.fd)
	for range 100 {
		var below []string
		filepath.WalkDir(g.path, func(path string, entry fs.DirEntry, err error) error {
			if err == nil && entry.IsDir() {
				below = append(below, path)
			}
			return nil
		})
		for i := len(below) - 1; i >= 0; i-- {
			unix.Rmdir(below[i])
		}
		if _, err := os.Stat(g.path); err != nil {
			return
		}
		time.Sleep(10 * time.Millisecond) // the kernel is still ending them
	}
}
