//go:build linux

package netlab_test

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"fathom/test/netlab"
	"fathom/test/netlab/labtest"
)

// here is the namespace of the calling thread.
func here(t *testing.T) string {
	t.Helper()
	id, err := os.Readlink("/proc/thread-self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func TestDoRunsInsideAndLeavesNoThreadThere(t *testing.T) {
	lab := labtest.New(t, netlab.Namespaces)
	a, b := lab.Host("a"), lab.Host("b")
	outside := here(t)
	oops := errors.New("oops")
	err := a.Do(func() error {
		if got := here(t); got != a.ID() || got == outside {
			t.Errorf("Do ran in %s, want %s", got, a.ID())
		}
		err := b.Do(func() error {
			if got := here(t); got != b.ID() {
				t.Errorf("the inner Do ran in %s, want %s", got, b.ID())
			}
			return nil
		})
		if got := here(t); got != a.ID() {
			t.Errorf("after the inner Do it is %s, want %s", got, a.ID())
		}
		return errors.Join(err, oops)
	})
	if !errors.Is(err, oops) {
		t.Errorf("Do returned %v, want what fn did", err)
	}
	if inside := threadsInside(t, a, b); len(inside) != 0 {
		t.Errorf("threads %v were left inside", inside)
	}
}

func TestDoEndsTheCallerWhenItsFunctionEnds(t *testing.T) {
	a := labtest.New(t, netlab.Namespaces).Host("a")
	ended := make(chan bool, 1)
	go func() {
		returned := false
		defer func() { ended <- !returned }()
		a.Do(func() error { runtime.Goexit(); return nil })
		returned = true
	}()
	if !<-ended {
		t.Error("the caller went on")
	}
	if inside := threadsInside(t, a); len(inside) != 0 {
		t.Errorf("threads %v were left inside", inside)
	}
}

// threadsInside returns the threads of this process that are in the hosts.
func threadsInside(t *testing.T, hosts ...*netlab.Host) (inside []string) {
	t.Helper()
	ids := make(map[string]bool)
	for _, h := range hosts {
		ids[h.ID()] = true
	}
	return holders(t, "/proc/self/task/*/ns/net", ids)
}

// holders returns the links that match and point to one of the namespaces.
func holders(t *testing.T, pattern string, ids map[string]bool) (found []string) {
	t.Helper()
	links, err := filepath.Glob(pattern)
	if err != nil {
		t.Fatal(err)
	}
	for _, link := range links {
		if id, err := os.Readlink(link); err == nil && ids[id] {
			found = append(found, link)
		}
	}
	return found
}

func TestCommandsAreBornInside(t *testing.T) {
	a := labtest.New(t, netlab.Namespaces).Host("a")
	for range 3 { // the thread that starts them is the same
		out, err := a.Command("readlink", "/proc/self/ns/net").Output()
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.TrimSpace(string(out)); got != a.ID() {
			t.Errorf("the command ran in %s, want %s", got, a.ID())
		}
	}
	err := a.Do(func() error {
		_, err := os.StartProcess("/nowhere", nil, &os.ProcAttr{})
		return err
	})
	if !errors.Is(err, os.ErrNotExist) {
		t.Errorf("starting nothing says %v", err)
	}
	out, err := a.Command("sh", "-c", "echo complaint >&2; exit 3").CombinedOutput()
	if string(out) != "complaint\n" || err == nil || err.Error() != "exit status 3" {
		t.Errorf("got %q and %v", out, err)
	}
}

func TestSysctlBelongsToTheHost(t *testing.T) {
	lab := labtest.New(t, netlab.Namespaces)
	a, b := lab.Host("a"), lab.Host("b")
	const key = "net.ipv4.ip_default_ttl"
	a.Sysctl(key, "17")
	if got := a.ReadSysctl(key); got != "17" {
		t.Errorf("a has %s=%s", key, got)
	}
	if got := b.ReadSysctl(key); got == "17" {
		t.Error("b has the same")
	}
}

func TestAFailedStepIsReportedOrCaught(t *testing.T) {
	labtest.Require(t, netlab.Namespaces)
	breakIt := func(opts ...netlab.Option) (err error) {
		defer netlab.Catch(&err)
		lab, err := netlab.New(opts...)
		if err != nil {
			return err
		}
		defer lab.Close()
		lab.Host("a").Sysctl("kernel.hostname", "mine")
		return nil
	}
	var step *netlab.Error
	if err := breakIt(); !errors.As(err, &step) || step.Host != "a" {
		t.Errorf("caught %v, want an error of host a", err)
	}
	var reported error
	breakIt(netlab.OnFailure(func(err error) { reported = err }))
	if !errors.As(reported, &step) || !strings.Contains(reported.Error(), "kernel.hostname") {
		t.Errorf("reported %v, want it to name the variable", reported)
	}
}

func TestNamesOfHostsAreUnique(t *testing.T) {
	labtest.Require(t, netlab.Namespaces)
	err := func() (err error) {
		defer netlab.Catch(&err)
		lab, err := netlab.New()
		if err != nil {
			return err
		}
		defer lab.Close()
		lab.Host("a")
		lab.Host("a")
		return nil
	}()
	if !errors.Is(err, netlab.ErrExists) {
		t.Errorf("the second host a: %v, want %v", err, netlab.ErrExists)
	}
}

func TestDialRefusesHostNames(t *testing.T) {
	a := labtest.New(t, netlab.Namespaces).Host("a")
	if _, err := a.Dial("tcp", "localhost:80"); !errors.Is(err, netlab.ErrNotLiteral) {
		t.Errorf("got %v, want %v", err, netlab.ErrNotLiteral)
	}
}

func TestSocketsConnectInsideTheHostAlone(t *testing.T) {
	lab := labtest.New(t, netlab.Namespaces)
	a, b := lab.Host("a"), lab.Host("b")
	server, err := a.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	conn, err := a.Dial("tcp", server.Addr().String())
	if err != nil {
		t.Fatalf("from the same host: %v", err)
	}
	conn.Close()
	if _, err := b.Dial("tcp", server.Addr().String()); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("from another host: %v, want a refusal", err)
	}
}

func TestCloseLeavesNothingBehind(t *testing.T) {
	labtest.Require(t)
	before := devices(t)
	fds := descriptors(t)
	lab, err := netlab.New(netlab.OnFailure(func(err error) { t.Fatal(err) }))
	if err != nil {
		t.Fatal(err)
	}
	net := lab.Routed()
	lab.UserLink(net.A, net.B, netlab.UserLinkConfig{AddrA: netlab.Prefixes("10.9.0.1/24"), AddrB: netlab.Prefixes("10.9.0.2/24")})
	net.Left.A.Capture()
	net.R.DropLonger(1000)
	ids := make(map[string]bool)
	var kept []*os.File // else the kernel may give the same names to another program's
	for _, h := range []*netlab.Host{net.A, net.R, net.B} {
		ids[h.ID()] = true
		if err := h.Do(func() error {
			ns, err := os.Open("/proc/thread-self/ns/net")
			kept = append(kept, ns)
			return err
		}); err != nil {
			t.Fatal(err)
		}
	}
	// The laboratory did not start the shell's child, which would outlive its
	// parent.
	orphaner := net.A.Command("sh", "-c", "sleep 1000 & echo $!; wait")
	out, err := orphaner.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := orphaner.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := out.Read(make([]byte, 1)); err != nil { // it has started
		t.Fatal(err)
	}
	if got := holders(t, "/proc/[0-9]*/ns/net", ids); len(got) < 2 {
		t.Fatalf("%v are inside, want the shell and its child", got)
	}

	if err := lab.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	if err := lab.Close(); err != nil {
		t.Errorf("a second Close: %v", err)
	}
	for pattern, most := range map[string]int{"/proc/[0-9]*/task/*/ns/net": 0, "/proc/[0-9]*/fd/*": len(kept)} {
		eventually(t, func() string {
			if found := holders(t, pattern, ids); len(found) > most {
				return strings.Join(found, " ")
			}
			return ""
		}, "")
	}
	for _, ns := range kept {
		ns.Close()
	}
	eventually(t, func() string { return strings.Join(descriptors(t), "\n") }, strings.Join(fds, "\n"))
	if after := devices(t); after != before {
		t.Errorf("devices outside: %s, were %s", after, before)
	}
	if err := net.A.Command("true").Run(); !errors.Is(err, netlab.ErrClosed) {
		t.Errorf("a command after Close: %v", err)
	}
}

// devices names the interfaces of the namespace the test is in.
func devices(t *testing.T) string {
	t.Helper()
	list, err := net.Interfaces()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, i := range list {
		names = append(names, i.Name)
	}
	return strings.Join(names, " ")
}

// descriptors lists the open files of this process, without the numbers of sockets
// and namespaces and without the poller, which do not matter.
func descriptors(t *testing.T) (open []string) {
	t.Helper()
	links, err := filepath.Glob("/proc/self/fd/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, link := range links {
		to, err := os.Readlink(link)
		kind, _, numbered := strings.Cut(to, ":[")
		if err == nil && !strings.HasPrefix(to, "/proc/") && !strings.HasPrefix(to, "anon_inode:[eventpoll]") {
			if numbered {
				to = kind
			}
			open = append(open, to)
		}
	}
	return open
}

func eventually(t *testing.T, got func() string, want string) {
	t.Helper()
	for deadline := time.Now().Add(soon); ; time.Sleep(5 * time.Millisecond) {
		now := got()
		if now == want {
			return
		}
		if time.Now().After(deadline) {
			t.Errorf("got %q, want %q", now, want)
			return
		}
	}
}
