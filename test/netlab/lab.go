//go:build linux

package netlab

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// Lab owns hosts, links, captures and processes until Close. Create it with
// New. Its methods may be called concurrently.
type Lab struct {
	// Set once.
	fail  func(error)
	spawn chan spawnJob // to the thread that starts processes

	mu      sync.Mutex // guards what follows
	closed  bool
	hosts   map[string]*Host
	closers []io.Closer // user-space links and captures, in order of creation
	cmds    []*Cmd
}

// Option adjusts a Lab.
type Option func(*Lab)

// OnFailure makes a failed step call fail with an [*Error] instead of
// panicking. It should not return (testing.TB.Fatal does not); when it does,
// the step panics after all.
func OnFailure(fail func(error)) Option {
	return func(l *Lab) { l.fail = fail }
}

// New opens an empty laboratory. The error is that of [Available] for
// namespaces: nothing else has been tried.
func New(opts ...Option) (*Lab, error) {
	if err := Available(Namespaces); err != nil {
		return nil, err
	}
	l := &Lab{hosts: make(map[string]*Host), spawn: make(chan spawnJob)}
	for _, opt := range opts {
		opt(l)
	}
	go spawner(l.spawn)
	return l, nil
}

// Catch stores the [*Error] of a failed step in *err; deferred, it turns the
// panic of a laboratory without OnFailure into an ordinary error. Other panics
// pass.
func Catch(err *error) {
	switch p := recover().(type) {
	case nil:
	case *Error:
		*err = cmp.Or(*err, error(p))
	default:
		panic(p)
	}
}

// check reports a failed step; it does not return when err is not nil.
func (l *Lab) check(host, op string, err error) {
	if err == nil {
		return
	}
	e := &Error{Op: op, Host: host, Err: err}
	if l.fail != nil {
		l.fail(e)
	}
	panic(e)
}

// Host makes a host: a network namespace with its loopback up and the settings
// of a fresh kernel, whatever those of this machine are. Names are for people
// and must be unique in the laboratory.
func (l *Lab) Host(name string) *Host {
	h, err := newHost(l, name)
	l.check(name, "make host", err)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed || l.hosts[name] != nil {
		h.close()
		l.check(name, "make host", cmp.Or(errIf(l.closed, ErrClosed), ErrExists))
	}
	l.hosts[name] = h
	return h
}

func errIf(cond bool, err error) error {
	if cond {
		return err
	}
	return nil
}

// own registers what Close must close.
func (l *Lab) own(c io.Closer) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closers = append(l.closers, c)
}

// Close ends every capture, user-space link and process of the laboratory,
// removes the devices and lets the namespaces go. A socket that the caller
// still holds open keeps its namespace (though none of its devices) alive
// until it is closed. Closing again does nothing.
func (l *Lab) Close() error {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return nil
	}
	l.closed = true
	closers, cmds, hosts := l.closers, l.cmds, l.hosts
	l.closers, l.cmds, l.hosts = nil, nil, nil
	l.mu.Unlock()

	var errs []error
	for _, c := range cmds {
		c.Process.Kill()
	}
	for _, c := range cmds {
		c.Wait()
	}
	killInhabitants(hosts)
	close(l.spawn)
	for _, c := range slices.Backward(closers) {
		errs = append(errs, c.Close())
	}
	for _, h := range hosts {
		errs = append(errs, h.close())
	}
	return errors.Join(errs...)
}

// killInhabitants kills the processes that still live in the namespaces: what
// a command started and left behind. Only processes born in the laboratory
// can be there.
func killInhabitants(hosts map[string]*Host) {
	ours := make(map[string]bool, len(hosts))
	for _, h := range hosts {
		ours[h.ID()] = true
	}
	for attempt := range 100 {
		alive := false
		links, _ := filepath.Glob("/proc/[0-9]*/ns/net")
		for _, link := range links {
			pid, err := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(link))))
			if err != nil || pid == os.Getpid() {
				continue
			}
			if id, err := os.Readlink(link); err == nil && ours[id] {
				syscall.Kill(pid, syscall.SIGKILL)
				alive = true
			}
		}
		if !alive {
			return
		}
		time.Sleep(time.Duration(1+attempt) * time.Millisecond)
	}
}

// Prefixes parses addresses with their prefix lengths, such as "10.1.0.1/24".
// It panics on a mistake, as netip.MustParsePrefix does.
func Prefixes(texts ...string) []netip.Prefix {
	prefixes := make([]netip.Prefix, len(texts))
	for i, text := range texts {
		prefixes[i] = netip.MustParsePrefix(text)
	}
	return prefixes
}

// String names the laboratory's hosts.
func (l *Lab) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	names := make([]string, 0, len(l.hosts))
	for name := range l.hosts {
		names = append(names, name)
	}
	slices.Sort(names)
	return fmt.Sprintf("laboratory of %v", names)
}
