//go:build linux

package test

import (
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"fathom/test/netlab"
)

// kernelCount returns what a host's kernel has counted by a protocol's name in
// /proc/net/snmp or /proc/net/netstat: (t, host, "IpExt", "InCEPkts").
func kernelCount(t *testing.T, host *netlab.Host, protocol, name string) int {
	t.Helper()
	lines := strings.Split(run(t, host, "cat", "/proc/net/snmp", "/proc/net/netstat"), "\n")
	for i := 0; i+1 < len(lines); i += 2 { // a line of names, a line of values
		names, values := strings.Fields(lines[i]), strings.Fields(lines[i+1])
		if at := slices.Index(names, name); at >= 0 && names[0] == protocol+":" {
			n, err := strconv.Atoi(values[at])
			check(t, err)
			return n
		}
	}
	t.Fatalf("the kernel does not count %s of %s", name, protocol)
	return 0
}

// backlogDrops returns how many packets the machine has lost between its
// interfaces, of all hosts together, because a CPU did not come to take them in
// (net.core.netdev_max_backlog): the second column of the softnet statistics.
func backlogDrops(t *testing.T) (n int) {
	t.Helper()
	cpus, err := os.ReadFile("/proc/net/softnet_stat")
	check(t, err)
	for line := range strings.Lines(string(cpus)) {
		dropped, err := strconv.ParseInt(strings.Fields(line)[1], 16, 64)
		check(t, err)
		n += int(dropped)
	}
	return n
}
