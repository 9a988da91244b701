package udp

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// natTraversalPort is where IPsec daemons receive ESP in UDP (RFC 3948 section 2),
// and so the most common port for two programs to want.
const natTraversalPort = 4500

// holderOf says who has a UDP port of the host, as far as this process may see
// it, and what to do about it.
func holderOf(port uint16) string {
	inodes := socketsAt(port)
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
	if port == natTraversalPort {
		return "an IPsec daemon, such as charon of strongSwan, may have it; stop that one, or choose another port in tunnel.listen"
	}
	return "another program has it; choose another port in tunnel.listen"
}

// socketsAt returns the sockets that are bound to a UDP port, in the form that
// the links in /proc/PID/fd have. It reads proc_net(5) of the thread's namespace.
func socketsAt(port uint16) map[string]bool {
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
			_, hex, _ := strings.Cut(columns[local], ":")
			if n, err := strconv.ParseUint(hex, 16, 16); err == nil && uint16(n) == port {
				sockets["socket:["+columns[inode]+"]"] = true
			}
		}
		file.Close()
	}
	return sockets
}
