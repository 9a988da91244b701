package udp

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// polled reports whether the runtime polls a descriptor of this process.
func polled(t *testing.T, fd uintptr) bool {
	t.Helper()
	files, err := filepath.Glob("/proc/self/fdinfo/*")
	if err != nil || len(files) == 0 {
		t.Fatalf("no descriptors: %v", err)
	}
	for _, file := range files {
		info, _ := os.ReadFile(file) // it may be closed by now
		for line := range strings.Lines(string(info)) {
			// tfd: 8 events: 80002019 data: ...
			if f := strings.Fields(line); len(f) > 1 && f[0] == "tfd:" && f[1] == fmt.Sprint(fd) {
				return true
			}
		}
	}
	return false
}

// TestWhatSendsOneByOneIsNotPolled until it is full, and neither is any outlet: a
// socket that is polled has an event for each datagram that leaves.
func TestWhatSendsOneByOneIsNotPolled(t *testing.T) {
	for _, host := range []string{"127.0.0.1", "::1"} {
		for _, offload := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, offload %v", host, offload), func(t *testing.T) {
				c, err := Listen(netip.MustParseAddr(host), 0, Config{Offload: offload, Sockets: 2, Outlets: 2})
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close()
				list := c.sockets.Load().out4
				if list == nil {
					list = c.sockets.Load().out6
				}
				if receives := list.common.Load() == list.all[0]; receives != list.all[0].gso.Load() {
					t.Errorf("data leaves by a socket that also receives: %v", receives)
				}
				if offload && !list.all[0].gso.Load() {
					t.Log("the kernel cuts no datagrams")
				}
				for i, s := range list.all {
					_ = s.raw.Control(func(fd uintptr) {
						if is := polled(t, fd); is != (i == 0) {
							t.Errorf("socket %d is polled: %v", i, is)
						}
					})
				}

				s := list.all[1]
				if err := s.whenRoom(func(fd uintptr) bool {
					if !polled(t, fd) {
						t.Error("waits by a descriptor that is not polled")
					}
					return true
				}); err != nil {
					t.Error(err)
				}
				_ = s.raw.Control(func(fd uintptr) {
					if polled(t, fd) {
						t.Error("the descriptor to send by is polled")
					}
				})
				ended := make(chan error)
				var tried sync.Once
				go func() {
					ended <- s.whenRoom(func(uintptr) bool {
						tried.Do(func() { go c.Close() })
						return false
					})
				}()
				if err := <-ended; err == nil {
					t.Error("no error of a socket that is closed")
				}
				if err := s.whenRoom(func(uintptr) bool { return true }); err == nil {
					t.Error("no error after Close")
				}
			})
		}
	}
}
