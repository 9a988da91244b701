//go:build linux

package netlab

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"syscall"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// enteredMark is set in the environment of a program that EnterUserNamespace
// has re-executed.
const enteredMark = "FATHOM_NETLAB_ENTERED"

// Entered reports whether this program was re-executed by EnterUserNamespace.
func Entered() bool { return os.Getenv(enteredMark) != "" }

// Main runs tests where a laboratory can be made: right here if namespaces can
// be, else re-executed in a user namespace. It returns the exit code.
//
//	func TestMain(m *testing.M) { os.Exit(netlab.Main(m)) }
//
// When neither is possible the tests run here all the same, so that each can say
// what it misses (see labtest.New).
func Main(m interface{ Run() int }) int {
	if !Entered() && Available(Namespaces) != nil {
		if code, err := EnterUserNamespace(); err == nil {
			return code
		}
	}
	if Entered() {
		if err := loopbackUp(); err != nil {
			fmt.Fprintln(os.Stderr, "netlab: bring up the loopback interface:", err)
			return 1
		}
	}
	return m.Run()
}

// loopbackUp brings up the loopback interface of this namespace, on which tests
// without a laboratory talk to themselves.
func loopbackUp() error {
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		return err
	}
	return netlink.LinkSetUp(lo)
}

// EnterUserNamespace re-executes this program in a user namespace of its own
// in which the caller is root, with a network and a mount namespace, and
// returns the exit code of that child (128 and the signal's number when a
// signal ended it, as a shell does). The child gets the given arguments, or
// those of this process when none are given, its environment, standard streams
// and signals. It dies with its parent.
//
// The error is a [*MissingError] when there can be no such namespace, and
// ErrEntered in the child itself.
func EnterUserNamespace(args ...string) (code int, err error) {
	return EnterUserNamespaceWith(nil, args...)
}

// EnterUserNamespaceWith is EnterUserNamespace for a child that also gets files, whose
// descriptors are 3 and those that follow: sockets of the network outside, which it cannot
// open itself.
func EnterUserNamespaceWith(files []*os.File, args ...string) (code int, err error) {
	if Entered() {
		return 0, ErrEntered
	}
	if len(args) == 0 {
		args = os.Args[1:]
	}
	// The path is resolved in the child, for whom it names the same program,
	// even one whose folder the user may not enter.
	c := exec.Command("/proc/self/exe", args...)
	c.Args[0] = os.Args[0]
	c.Env = append(os.Environ(), enteredMark+"=1")
	c.Stdin, c.Stdout, c.Stderr = os.Stdin, os.Stdout, os.Stderr
	c.ExtraFiles = files
	c.SysProcAttr = userNamespace()

	// Pdeathsig is about the thread that starts the child.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, unix.SIGINT, unix.SIGTERM, unix.SIGHUP, unix.SIGQUIT, unix.SIGUSR1, unix.SIGUSR2)
	defer signal.Stop(signals)
	if err := c.Start(); err != nil {
		return 0, noUserNamespace(err)
	}
	go forward(signals, c.Process)
	err = c.Wait()
	signal.Stop(signals)
	close(signals)
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0, nil
	case !errors.As(err, &exit):
		return 0, fmt.Errorf("netlab: await the program in the user namespace: %w", err)
	}
	if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return 128 + int(status.Signal()), nil
	}
	return exit.ExitCode(), nil
}

// userNamespace is how a child becomes root of namespaces of its own.
func userNamespace() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{
		Cloneflags:  unix.CLONE_NEWUSER | unix.CLONE_NEWNET | unix.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Geteuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getegid(), Size: 1}},
		Pdeathsig:   syscall.SIGKILL,
	}
}

// forward passes signals on, except those that a terminal has also sent to the
// child, which is in the same process group.
func forward(signals <-chan os.Signal, to *os.Process) {
	terminal := onTerminal()
	for s := range signals {
		if terminal && (s == unix.SIGINT || s == unix.SIGQUIT) {
			continue
		}
		to.Signal(s)
	}
}

// onTerminal reports whether this process is in the foreground of a terminal.
func onTerminal() bool {
	tty, err := os.Open("/dev/tty")
	if err != nil {
		return false
	}
	defer tty.Close()
	group, err := unix.IoctlGetInt(int(tty.Fd()), unix.TIOCGPGRP)
	return err == nil && group == unix.Getpgrp()
}
