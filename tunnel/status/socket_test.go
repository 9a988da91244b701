package status

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

func TestListen(t *testing.T) {
	t.Run("a socket that a crash left behind is replaced", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "s.sock")
		stale, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
		if err != nil {
			t.Fatal(err)
		}
		stale.SetUnlinkOnClose(false)
		stale.Close()
		l, err := Listen(path)
		if err != nil {
			t.Fatal(err)
		}
		l.Close()
	})
	t.Run("a running tunnel's socket is left alone", func(t *testing.T) {
		path := serve(t, testSource{})
		if l, err := Listen(path); err == nil {
			l.Close()
			t.Fatal("took the socket over")
		}
		if _, err := Fetch(context.Background(), path); err != nil {
			t.Errorf("the first tunnel no longer answers: %v", err)
		}
	})
	t.Run("a busy tunnel's socket is left alone", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "s.sock")
		busy, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer syscall.Close(busy)
		if err := errors.Join(syscall.Bind(busy, &syscall.SockaddrUnix{Name: path}), syscall.Listen(busy, 0)); err != nil {
			t.Fatal(err)
		}
		for { // nobody accepts
			conn, err := net.Dial("unix", path)
			if errors.Is(err, syscall.EAGAIN) {
				break
			} else if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
		}
		if l, err := Listen(path); err == nil {
			l.Close()
			t.Fatal("took the socket over")
		}
		if _, err := os.Lstat(path); err != nil {
			t.Error(err)
		}
	})
	t.Run("a file that is no socket is left alone", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "precious")
		os.WriteFile(path, []byte("data"), 0o600)
		if l, err := Listen(path); err == nil {
			l.Close()
			t.Fatal("replaced a file")
		}
		if data, _ := os.ReadFile(path); string(data) != "data" {
			t.Error("the file is changed")
		}
	})
	t.Run("others may not connect", func(t *testing.T) {
		path := serve(t, testSource{})
		info, err := os.Stat(path)
		if err != nil || info.Mode().Perm() != 0o660 {
			t.Errorf("mode %v, %v", info.Mode(), err)
		}
	})
}
