//go:build linux

package netlab

import (
	"fmt"
	"os"
	"strings"
)

// Sysctl sets a kernel variable of the host, such as
// Sysctl("net.ipv4.tcp_mtu_probing", "1"). Write the key with slashes when an
// interface name in it has a dot. Only net.* belongs to a host; other keys
// are refused.
func (h *Host) Sysctl(key, value string) {
	h.check("set kernel variable", h.setSysctl(key, value))
}

// ReadSysctl returns a kernel variable of the host.
func (h *Host) ReadSysctl(key string) string {
	var value []byte
	err := h.Do(func() error {
		path, err := sysctlPath(key)
		if err != nil {
			return err
		}
		value, err = os.ReadFile(path)
		return err
	})
	h.check("read kernel variable "+key, err)
	return strings.TrimSpace(string(value))
}

func (h *Host) setSysctl(key, value string) error {
	return h.Do(func() error {
		path, err := sysctlPath(key)
		if err != nil {
			return err
		}
		if err := os.WriteFile(path, []byte(value), 0); err != nil {
			return fmt.Errorf("sysctl %s=%s: %w", key, value, err)
		}
		return nil
	})
}

// sysctlPath refuses what would reach beyond the namespace of the thread.
func sysctlPath(key string) (string, error) {
	path := key
	if !strings.Contains(key, "/") {
		path = strings.ReplaceAll(key, ".", "/")
	}
	if !strings.HasPrefix(path, "net/") || strings.Contains(path, "..") {
		return "", fmt.Errorf("sysctl %s: not a variable of a network namespace", key)
	}
	return "/proc/sys/" + path, nil
}
