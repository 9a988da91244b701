package udp

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// natTraversalPort is where IPsec daemons receive ESP in UDP (RFC 3948 section 2),
// and so the most common port for two programs to want.
const natTraversalPort = 4500

// holderOf says which program keeps this one from a UDP address and port of the
// host, as far as this process may see it, and what to do about it.
func holderOf(at netip.AddrPort) string {
	what, _ := Holder(at)
	return what
}

// Holder says what holderOf says, and whether there is a socket at all that keeps others
// from a UDP address and port of the host. It reads proc(5) and opens nothing.
func Holder(at netip.AddrPort) (what string, taken bool) {
	inodes := socketsAt(at)
	return holderAmong(inodes, at), len(inodes) > 0
}

// holderAmong names the program that has one of some sockets.
func holderAmong(inodes map[string]bool, at netip.AddrPort) string {
	links, _ := filepath.Glob("/proc/[0-9]*/fd/*")
	for _, link := range links {
		to, err := os.Readlink(link)
		if err != nil || !inodes[to] {
			continue
		}
		process := filepath.Dir(filepath.Dir(link))
		comm, err := os.ReadFile(filepath.Join(process, "comm"))
		if err == nil {
			return fmt.Sprintf("%s, process %s, has it; stop that one, or choose another port in tunnel.listen", strings.TrimSpace(string(comm)), filepath.Base(process))
		}
	}
	if at.Port() == natTraversalPort {
		return "an IPsec daemon, such as charon of strongSwan, may have it; stop that one, or choose another port in tunnel.listen"
	}
	return "another program has it; choose another port in tunnel.listen"
}

// socketsAt returns the sockets whose address and port keep others from those given,
// in the form that the links in /proc/PID/fd have. It reads proc_net(5) of the thread's
// namespace.
func socketsAt(at netip.AddrPort) map[string]bool {
	const local, inode = 1, 9 // columns
	sockets := make(map[string]bool)
	for _, name := range []string{"udp", "udp6"} {
		file, err := os.Open(filepath.Join("/proc/thread-self/net", name))
		if err != nil {
			continue
		}
		for lines := bufio.NewScanner(file); lines.Scan(); {
			columns := strings.Fields(lines.Text())
			if len(columns) <= inode {
				continue
			}
			if theirs, ok := parseLocal(columns[local]); ok && collide(at, theirs) {
				sockets["socket:["+columns[inode]+"]"] = true
			}
		}
		file.Close()
	}
	return sockets
}

// parseLocal reads an address and port of proc_net(5): words of 32 bits as they are in
// memory, in hexadecimal, a colon, and the port.
func parseLocal(column string) (at netip.AddrPort, ok bool) {
	words, port, _ := strings.Cut(column, ":")
	var raw []byte
	for ; len(words) >= 8; words = words[8:] {
		word, err := strconv.ParseUint(words[:8], 16, 32)
		if err != nil {
			return at, false
		}
		raw = binary.NativeEndian.AppendUint32(raw, uint32(word))
	}
	addr, ok := netip.AddrFromSlice(raw)
	n, err := strconv.ParseUint(port, 16, 16)
	return netip.AddrPortFrom(addr.Unmap(), uint16(n)), ok && err == nil
}

// collide reports whether a socket at one place keeps another from being bound. One
// that is bound to all addresses of IPv6 may have those of IPv4, too.
func collide(ours, theirs netip.AddrPort) bool {
	a, b := ours.Addr(), theirs.Addr()
	switch {
	case ours.Port() != theirs.Port():
		return false
	case b == netip.IPv6Unspecified():
		return true
	}
	return a == b || a.Is4() == b.Is4() && (a.IsUnspecified() || b.IsUnspecified())
}
