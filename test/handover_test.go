//go:build linux

package test

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"fathom/test/gateway"
	"fathom/test/netlab"
	"fathom/test/tier"
)

// manager is a service manager with a store of file descriptors: files and their names
// are what it passes to the next process.
type manager struct {
	socket *net.UnixConn
	said   chan string // what it is told of its store

	mu    sync.Mutex
	files []*os.File // guarded by mu
	names []string   // guarded by mu
}

func newManager(t *testing.T) *manager {
	t.Helper()
	dir, err := os.MkdirTemp("", "fathom")
	check(t, err)
	socket, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(dir, "notify"), Net: "unixgram"})
	check(t, err)
	m := &manager{socket: socket, said: make(chan string, 100)}
	var reads sync.WaitGroup
	reads.Go(m.read)
	t.Cleanup(func() {
		socket.Close()
		reads.Wait()
		m.empty()
		os.RemoveAll(dir)
	})
	return m
}

// read does what it is told, until the socket is closed.
func (m *manager) read() {
	message, rights := make([]byte, 4096), make([]byte, 4096)
	for {
		n, nrights, _, _, err := m.socket.ReadMsgUnix(message, rights)
		if err != nil {
			return
		}
		var files []*os.File
		if messages, err := unix.ParseSocketControlMessage(rights[:nrights]); err == nil {
			for _, c := range messages {
				fds, _ := unix.ParseUnixRights(&c)
				for _, fd := range fds {
					unix.CloseOnExec(fd)
					files = append(files, os.NewFile(uintptr(fd), "stored"))
				}
			}
		}
		text := strings.ReplaceAll(string(message[:n]), "\n", " ")
		switch {
		case text == "FDSTOREREMOVE=1 FDNAME=tun":
			m.empty()
		case text == "FDSTORE=1 FDNAME=tun FDPOLL=0":
			m.mu.Lock()
			for _, f := range files {
				m.files, m.names = append(m.files, f), append(m.names, "tun")
			}
			m.mu.Unlock()
			text = fmt.Sprintf("%s (%d)", text, len(files))
		case text == "BARRIER=1" && len(files) == 1:
			files[0].Close()
		default:
			continue
		}
		m.said <- text
	}
}

func (m *manager) empty() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, f := range m.files {
		f.Close()
	}
	m.files, m.names = nil, nil
}

// lose closes the last of the files.
func (m *manager) lose() {
	m.mu.Lock()
	defer m.mu.Unlock()
	last := len(m.files) - 1
	m.files[last].Close()
	m.files, m.names = m.files[:last], m.names[:last]
}

// pass adds to what the next process gets.
func (m *manager) pass(t *testing.T, files []string, names ...string) {
	t.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, path := range files {
		f, err := os.Open(path)
		check(t, err)
		m.files = append(m.files, f)
	}
	m.names = append(m.names, names...)
}

// command is that of a service which the manager starts.
func (m *manager) command(g *gateway.Gateway, args ...string) *netlab.Cmd {
	command := g.Command(args...)
	command.Args = append([]string{"sh", "-c", `LISTEN_PID=$$ exec "$@"`, "sh"}, command.Args...)
	command.Path = "/bin/sh"
	m.mu.Lock()
	defer m.mu.Unlock()
	command.ExtraFiles = m.files
	command.Env = append(os.Environ(), "NOTIFY_SOCKET="+m.socket.LocalAddr().String(),
		fmt.Sprintf("LISTEN_FDS=%d", len(m.files)), "LISTEN_FDNAMES="+strings.Join(m.names, ":"))
	return command
}

// start starts a command while no file is closed.
func (m *manager) start(command *netlab.Cmd) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return command.Start()
}

// heard returns what the manager was told of its store until now.
func (m *manager) heard() (list []string) {
	for {
		select {
		case s := <-m.said:
			list = append(list, s)
		default:
			return list
		}
	}
}

// TestTheServiceManagerKeepsTheDevice from process to process as long as the next wants
// one like it. What is of no use is given back, with a word in the log.
func TestTheServiceManagerKeepsTheDevice(t *testing.T) {
	tier.Select(t, tier.OffloadOnly)
	p := newPair(t, overIPv4, "")
	check(t, p.b.Start())
	settledState(t, p)
	before := hostState(t, p) + routingOf(t, p.A)
	m := newManager(t)
	index := func() (n int) {
		t.Helper()
		check(t, p.A.Do(func() error {
			link, err := netlink.LinkByName(gateway.Device)
			if err == nil {
				n = link.Attrs().Index
			} else if errors.As(err, new(netlink.LinkNotFoundError)) {
				err = nil
			}
			return err
		}))
		return n
	}
	const removed, barrier = "FDSTOREREMOVE=1 FDNAME=tun", "BARRIER=1"
	stored := func(n int) string { return fmt.Sprintf("FDSTORE=1 FDNAME=tun FDPOLL=0 (%d)", n) }
	const anew, kept, foreign = "the TUN device is made anew", "of the process before is taken over", "of another name"
	last := 0
	for _, step := range []struct {
		name   string
		config string
		flags  []string
		change func()
		kill   bool
		same   bool     // the device is that of the process before
		told   []string // the manager, of its store
		logged []string
	}{
		{name: "the first", config: "queues = 2", told: []string{removed, stored(2)}},
		{name: "the next", config: "queues = 2", same: true, logged: []string{kept}},
		{name: "killed", config: "queues = 2", kill: true, same: true, logged: []string{kept}},
		{name: "after that", config: "queues = 2", same: true, logged: []string{kept}},
		{name: "something else is passed as well", config: "queues = 2", change: func() { m.pass(t, []string{"/dev/null"}, "foreign") }, same: true, logged: []string{foreign, kept}},
		{name: "more queues", config: "queues = 3", told: []string{removed, barrier, removed, stored(3)}, logged: []string{foreign, anew}},
		{name: "no offload", config: `offload = "off"`, told: []string{removed, barrier, removed, stored(1)}, logged: []string{anew}},
		{name: "with offload", config: "queues = 2", told: []string{removed, barrier, removed, stored(2)}, logged: []string{anew}},
		{name: "a queue is lost", config: "queues = 2", change: m.lose, told: []string{removed, barrier, removed, stored(2)}, logged: []string{anew}},
		{name: "no TUN device", config: "queues = 2", change: func() { m.empty(); m.pass(t, []string{"/dev/null", "/dev/zero"}, "tun", "tun") },
			told: []string{removed, barrier, removed, stored(2)}, logged: []string{anew}},
		{name: "not to be kept", config: "queues = 2", flags: []string{}, told: []string{removed, barrier}},
		{name: "the first again", config: "queues = 2", told: []string{removed, stored(2)}},
	} {
		if step.change != nil {
			step.change()
		}
		check(t, p.a.Configure(step.config, gateway.Peer{Gateway: p.b, Endpoint: p.endpoint(p.Right.B, overIPv4)}))
		flags := step.flags
		if flags == nil {
			flags = []string{"--hand-over"}
		}
		daemon := m.command(p.a, slices.Concat([]string{"up", "-c", p.a.Config()}, flags)...)
		var log strings.Builder
		daemon.Stderr = &log
		check(t, m.start(daemon))
		ended := false
		end := func() {
			if ended {
				return
			}
			ended = true
			if step.kill {
				daemon.Process.Kill()
				daemon.Wait()
			} else {
				check(t, daemon.Process.Signal(unix.SIGTERM))
				check(t, daemon.Wait())
			}
		}
		t.Cleanup(func() {
			if !ended {
				daemon.Process.Kill()
				daemon.Wait()
				t.Logf("%s: log\n%s", step.name, log.String())
			}
		})
		await(t, p.a, gateway.Established)
		pinger(t, p.A, innerB4)
		now := index()
		if same := now == last; same != step.same {
			t.Errorf("%s: interface %d, before %d", step.name, now, last)
		}
		if out, err := p.a.Command("release", "-c", p.a.Config()).CombinedOutput(); err == nil || !strings.Contains(string(out), "is running") {
			t.Errorf("%s: release of a tunnel that runs: %v\n%s", step.name, err, out)
		}
		end()
		if told := m.heard(); !slices.Equal(told, step.told) {
			t.Errorf("%s: the manager is told %q, want %q", step.name, told, step.told)
		}
		for _, line := range []string{anew, kept, foreign} {
			if got := strings.Count(log.String(), line); got != strings.Count(strings.Join(step.logged, "\n"), line) {
				t.Errorf("%s: %q is in the log %d times\n%s", step.name, line, got, log.String())
			}
		}
		keeps := len(flags) > 0
		if last = index(); keeps != (last == now) {
			t.Errorf("%s: interface %d at the end, %d before", step.name, last, now)
		}
		if gone := hostState(t, p)+routingOf(t, p.A) == before; gone == keeps {
			t.Errorf("%s: nothing is left: %v", step.name, gone)
		}
	}
	// It has stopped for good: the manager closes the device, and releases the rest.
	m.empty()
	if out, err := p.a.Command("release", "-c", p.a.Config()).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if now := hostState(t, p) + routingOf(t, p.A); now != before {
		t.Errorf("the host has\n%s\nbefore\n%s", now, before)
	}
}
