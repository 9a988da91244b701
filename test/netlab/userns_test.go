//go:build linux

package netlab_test

import (
	"bufio"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"testing"

	"fathom/test/netlab"
	"fathom/test/netlab/labtest"
)

// What asOrdinaryUser is to do inside; see ordinaryUser.
const (
	crossRouter = "cross a router"
	awaitSignal = "await a signal"
)

// exitInside is the exit code of asOrdinaryUser when all is well inside.
const exitInside = 42

// asOrdinaryUser is main for a program run by an ordinary user, which enters a
// user namespace and acts there.
func asOrdinaryUser() int {
	if !netlab.Entered() {
		fmt.Println("outside:", netlab.Available(netlab.Namespaces))
		code, err := netlab.EnterUserNamespace("argument")
		if err != nil {
			fmt.Println("enter:", err)
			return 1
		}
		return code
	}
	if os.Getenv(ordinaryUser) == awaitSignal {
		signals := make(chan os.Signal, 1)
		signal.Notify(signals, syscall.SIGTERM)
		fmt.Println(os.Getpid())
		<-signals
		return exitInside
	}
	fmt.Println("arguments:", os.Args[1:])
	fmt.Println("tun:", netlab.Available(netlab.TUN))
	_, err := netlab.EnterUserNamespace()
	fmt.Println("again:", err)
	if err := buildAndCross(); err != nil {
		fmt.Println("laboratory:", err)
		return 1
	}
	return exitInside
}

func buildAndCross() (err error) {
	defer netlab.Catch(&err)
	if err := netlab.Available(netlab.Namespaces, netlab.Filters, netlab.NAT, netlab.Packets); err != nil {
		return err
	}
	lab, err := netlab.New()
	if err != nil {
		return err
	}
	defer lab.Close()
	net := lab.Routed()
	net.R.DropLonger(1400)
	net.R.Masquerade(net.Right.A)
	net.Right.A.Capture()
	server, err := net.B.Listen("tcp4", "0.0.0.0:7777")
	if err != nil {
		return err
	}
	defer server.Close()
	conn, err := net.A.Dial("tcp4", netip.AddrPortFrom(net.Right.B.Addr4(), 7777).String())
	if err != nil {
		return err
	}
	return conn.Close()
}

// ordinary prepares this program as asOrdinaryUser. Root becomes nobody for
// it; an ordinary user, who runs these tests in a user namespace already, is
// one himself, and enters another within.
func ordinary(t *testing.T, what string) *exec.Cmd {
	t.Helper()
	labtest.Require(t, netlab.Namespaces)
	const nobody = 65534
	c := exec.Command("/proc/self/exe")
	c.Dir = "/"
	c.Env = slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "FATHOM_NETLAB_") })
	c.Env = append(c.Env, ordinaryUser+"="+what)
	if !netlab.Entered() {
		c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	}
	return c
}

func TestAnOrdinaryUserHasALaboratory(t *testing.T) {
	c := ordinary(t, crossRouter)
	out, err := c.Output()
	text := string(out)
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != exitInside {
		if strings.Contains(text, "user namespaces are ") {
			labtest.Missing(t, errors.New(text))
		}
		t.Fatalf("it ended with %v, want status %d; it said:\n%s", err, exitInside, text)
	}
	want := []string{"arguments: [argument]", "again: " + netlab.ErrEntered.Error()}
	if c.SysProcAttr != nil { // it was nobody
		want = append(want, "outside: network namespace: operation not permitted: not privileged")
	}
	// Where the device is closed to the user, the program must say so.
	if info, err := os.Stat("/dev/net/tun"); err == nil && info.Mode().Perm()&0o006 != 0o006 {
		want = append(want, "tun: /dev/net/tun: permission denied: run `sudo chmod 0666 /dev/net/tun`")
	} else if err == nil {
		want = append(want, "tun: <nil>")
	}
	for _, want := range want {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in:\n%s", want, text)
		}
	}
}

func TestSignalsAndDeathReachTheProgramInside(t *testing.T) {
	for _, test := range []struct {
		signal syscall.Signal
		status int // of the program outside; -1 when the signal ended it
	}{
		{syscall.SIGTERM, exitInside},
		{syscall.SIGKILL, -1},
	} {
		t.Run(test.signal.String(), func(t *testing.T) {
			c := ordinary(t, awaitSignal)
			stdout, err := c.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := c.Start(); err != nil {
				t.Fatal(err)
			}
			pid := ""
			for lines := bufio.NewScanner(stdout); lines.Scan(); {
				pid = lines.Text()
				if !strings.HasPrefix(pid, "outside") {
					break
				}
			}
			inside := "/proc/" + pid + "/exe" // which a zombie has not
			if _, err := os.Readlink(inside); err != nil || pid == "" {
				c.Process.Kill()
				c.Wait()
				t.Fatalf("there is no program inside: it said %q", pid)
			}
			c.Process.Signal(test.signal)
			c.Wait()
			if got := c.ProcessState.ExitCode(); got != test.status {
				t.Errorf("status %d, want %d", got, test.status)
			}
			eventually(t, func() string {
				_, err := os.Readlink(inside)
				return fmt.Sprint(errors.Is(err, os.ErrNotExist))
			}, "true")
		})
	}
}
