//go:build linux

package netlab

import (
	"bytes"
	"context"
	"errors"
	"os/exec"
	"runtime"
	"sync"
	"syscall"

	"github.com/vishvananda/netns"
)

// Cmd is an exec.Cmd whose process is born inside a host. Use it as that type;
// only what starts or awaits the process is replaced. Lab.Close kills it.
type Cmd struct {
	*exec.Cmd
	host *Host
	wait func() error
}

// Command prepares a command that will run in the host.
func (h *Host) Command(name string, args ...string) *Cmd {
	return h.CommandContext(context.Background(), name, args...)
}

// CommandContext is like Command; the process is killed when ctx is done.
func (h *Host) CommandContext(ctx context.Context, name string, args ...string) *Cmd {
	c := exec.CommandContext(ctx, name, args...)
	// Were this process killed, the child would keep the namespace alive.
	c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return &Cmd{Cmd: c, host: h, wait: sync.OnceValue(c.Wait)}
}

// Start starts the process inside the host.
func (c *Cmd) Start() error {
	l := c.host.lab
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return ErrClosed
	}
	job := spawnJob{cmd: c, err: make(chan error)}
	l.spawn <- job
	if err := <-job.err; err != nil {
		return err
	}
	l.cmds = append(l.cmds, c)
	return nil
}

// Wait waits for the process to end. It may be called more than once.
func (c *Cmd) Wait() error {
	if c.Process == nil {
		return errors.New("netlab: command is not started")
	}
	return c.wait()
}

// Run starts the process and waits for it.
func (c *Cmd) Run() error {
	if err := c.Start(); err != nil {
		return err
	}
	return c.Wait()
}

// Output runs the process and returns its standard output. As with exec.Cmd,
// an ExitError carries its standard error when Stderr is nil.
func (c *Cmd) Output() ([]byte, error) {
	var stdout, stderr bytes.Buffer
	c.Stdout = &stdout
	keep := c.Stderr == nil
	if keep {
		c.Stderr = &stderr
	}
	err := c.Run()
	var exit *exec.ExitError
	if keep && errors.As(err, &exit) {
		exit.Stderr = stderr.Bytes()
	}
	return stdout.Bytes(), err
}

// CombinedOutput runs the process and returns what it wrote to standard output
// and standard error.
func (c *Cmd) CombinedOutput() ([]byte, error) {
	var both bytes.Buffer
	c.Stdout, c.Stderr = &both, &both
	err := c.Run()
	return both.Bytes(), err
}

type spawnJob struct {
	cmd *Cmd
	err chan error
}

// spawner starts processes on one thread that lives as long as the laboratory:
// Pdeathsig fires when the *thread* that started a process ends, so it must
// not be one that the runtime may throw away earlier.
func spawner(jobs <-chan spawnJob) {
	runtime.LockOSThread() // for good: the thread ends with the goroutine
	for job := range jobs {
		job.err <- startInside(job.cmd)
	}
}

// startInside is called on the spawner's thread.
func startInside(c *Cmd) error {
	home, err := netns.Get()
	if err != nil {
		return err
	}
	defer home.Close()
	if err := netns.Set(c.host.ns); err != nil {
		return err
	}
	defer netns.Set(home) // may be refused; the next start does not care
	return c.Cmd.Start()
}
