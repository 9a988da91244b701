//go:build linux

package test

import (
	"bytes"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"fathom/test/netlab"
	"fathom/test/tier"
)

// Exit codes of the command: `fathom --help`.
const (
	noAnswer   = 3
	notRunning = 4
	noPeer     = 5
)

// TestWait waits for a peer whose tunnel starts late, on a host whose own tunnel starts
// late, and then for one that has died, and for one that is not known.
func TestWait(t *testing.T) {
	tier.Select(t, tier.EitherWay)
	p := newPair(t, overIPv4, "")
	wait := func(peer string, args ...string) (*netlab.Cmd, *bytes.Buffer) {
		command := p.a.Command(append([]string{"wait", peer, "-c", p.a.Config()}, args...)...)
		out := new(bytes.Buffer)
		command.Stdout, command.Stderr = out, out
		check(t, command.Start())
		return command, out
	}
	ends := func(command *netlab.Cmd, out *bytes.Buffer, want int) {
		t.Helper()
		if err := command.Wait(); command.ProcessState.ExitCode() != want {
			t.Fatalf("exit code %v, want %d\n%s", err, want, out)
		}
	}
	still := func(command *netlab.Cmd, why string) {
		t.Helper()
		var status unix.WaitStatus
		time.Sleep(settle)
		if pid, err := unix.Wait4(command.Process.Pid, &status, unix.WNOHANG, nil); err != nil || pid != 0 {
			t.Fatalf("the wait ends although %s: %v", why, status.ExitStatus())
		}
	}

	command, out := wait(p.b.Name, "--timeout", "300ms")
	ends(command, out, notRunning)
	command, out = wait(p.b.Name, "--timeout", within.String())
	still(command, "no tunnel runs")
	check(t, p.a.Start())
	still(command, "the peer's tunnel does not run")
	check(t, p.b.Start())
	ends(command, out, 0)
	command, out = wait(p.b.Name)
	ends(command, out, 0)

	// The status still says that the peer is established.
	p.b.Kill()
	command, out = wait(p.b.Name, "--timeout", "1s")
	ends(command, out, noAnswer)
	command, out = wait("nobody")
	ends(command, out, noPeer)

	// A tunnel that ends meanwhile is waited for, too.
	command, out = wait(p.b.Name, "--timeout", within.String())
	still(command, "the peer's tunnel has died")
	check(t, p.a.Stop())
	still(command, "the tunnel has ended")
	check(t, p.a.Start())
	check(t, p.b.Start())
	ends(command, out, 0)
}

// TestTheServiceManagerIsTold starts a tunnel as systemd does, and listens to what it
// says.
func TestTheServiceManagerIsTold(t *testing.T) {
	tier.Select(t, tier.EitherWay)
	p := newPair(t, overIPv4, "")
	dir, err := os.MkdirTemp("", "fathom")
	check(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	address := &net.UnixAddr{Name: filepath.Join(dir, "notify"), Net: "unixgram"}
	manager, err := net.ListenUnixgram("unixgram", address)
	check(t, err)
	defer manager.Close()
	said := func() string {
		t.Helper()
		message := make([]byte, 4096)
		check(t, manager.SetReadDeadline(time.Now().Add(within)))
		n, err := manager.Read(message)
		if err != nil {
			t.Fatalf("the service manager hears nothing: %v", err)
		}
		return string(message[:n])
	}
	// hears waits for a message; the others until then must be among those allowed.
	hears := func(want string, others ...string) {
		t.Helper()
		for {
			got := said()
			if got == want {
				return
			}
			if !slices.Contains(others, got) {
				t.Fatalf("the service manager hears %q, and waits for %q", got, want)
			}
		}
	}

	daemon := p.a.Command("up", "-c", p.a.Config())
	daemon.Env = append(os.Environ(), "NOTIFY_SOCKET="+address.Name, "WATCHDOG_USEC=300000")
	var log strings.Builder
	daemon.Stderr = &log
	check(t, daemon.Start())
	ended := false
	t.Cleanup(func() {
		if !ended {
			daemon.Process.Kill()
			daemon.Wait()
		}
		if t.Failed() {
			t.Logf("log:\n%s", log.String())
		}
	})
	const alive, down, up = "WATCHDOG=1", "STATUS=0 of 1 peer up", "STATUS=1 of 1 peer up"
	hears("READY=1")
	if out, err := p.a.Command("status", "-c", p.a.Config()).CombinedOutput(); exitCodeOf(err) != noAnswer {
		t.Errorf("ready, but: %v\n%s", err, out)
	}
	hears(down)
	for range 3 {
		hears(alive)
	}
	check(t, p.b.Start())
	hears(up, alive)
	hears(alive)
	check(t, daemon.Process.Signal(unix.SIGHUP))
	for got := ""; !strings.HasPrefix(got, "RELOADING=1\nMONOTONIC_USEC="); {
		if got = said(); got == "READY=1" {
			t.Fatal("a reload has ended that has not begun")
		}
	}
	hears("READY=1", alive)
	hears(alive)
	check(t, daemon.Process.Signal(unix.SIGTERM))
	hears("STOPPING=1", alive)
	ended = true
	check(t, daemon.Wait())
}

// exitCodeOf returns the exit code of a command that has ended.
func exitCodeOf(err error) int {
	if exit, ok := err.(*exec.ExitError); ok {
		return exit.ExitCode()
	}
	return 0
}
