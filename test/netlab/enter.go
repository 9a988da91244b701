//go:build linux

package netlab

import (
	"runtime"

	"github.com/vishvananda/netns"
)

// newNamespace makes a network namespace that nothing but the returned handle
// holds.
func newNamespace() (ns netns.NsHandle, err error) {
	err = onThread(func() error {
		home, err := netns.Get()
		if err != nil {
			return err
		}
		defer home.Close()
		ns, err = netns.New()
		leave(home)
		return err
	})
	return ns, err
}

// enter runs fn on a thread that is inside ns.
func enter(ns netns.NsHandle, fn func() error) error {
	return onThread(func() error {
		home, err := netns.Get()
		if err != nil {
			return err
		}
		defer home.Close()
		if err := netns.Set(ns); err != nil {
			return err
		}
		defer leave(home)
		return fn()
	})
}

// leave puts the calling, locked thread back. Where that is not allowed (the
// namespace we came from belongs to a user namespace above ours) the thread
// stays locked, and the runtime throws it away with its goroutine.
func leave(home netns.NsHandle) {
	if netns.Set(home) != nil {
		runtime.LockOSThread()
	}
}

// onThread runs fn on a goroutine of its own that is locked to its thread. If
// fn leaves by runtime.Goexit (as testing.TB.Fatal does), so does the caller.
func onThread(fn func() error) error {
	var err error
	returned := false
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err = fn()
		returned = true
	}()
	<-done
	if !returned {
		runtime.Goexit()
	}
	return err
}
