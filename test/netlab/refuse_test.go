//go:build linux

package netlab_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"fathom/test/netlab"
	"fathom/test/netlab/labtest"
)

// asksKernel is set when this program is to ask the kernel.
const asksKernel = "NETLAB_TEST_ASKS_KERNEL"

// offloadBits is how many sets of TUNSETOFFLOAD are tried: up to those with USO.
const offloadBits = 1 << 7

// askKernel makes many system calls, and prints the answer to each. It returns the
// exit code.
func askKernel() int {
	fatal := func(err error) int {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	answers := make(map[string]string)
	// Without a descriptor a call fails in the kernel in one way only. Any other
	// result is the filter's answer.
	const none = -1
	for _, level := range []int{unix.SOL_SOCKET, unix.IPPROTO_IP, unix.IPPROTO_TCP, unix.IPPROTO_IPV6, unix.IPPROTO_UDP} {
		for name := range 256 {
			// A socket for each, since one option may forbid another.
			socket, err := unix.Socket(unix.AF_INET6, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
			if err != nil {
				return fatal(err)
			}
			for what, fd := range map[string]int{"of a socket": socket, "of nothing": none} {
				_, err = unix.GetsockoptInt(fd, level, name)
				answers[fmt.Sprintf("get %d %d %s", level, name, what)] = fmt.Sprint(err)
				err = unix.SetsockoptInt(fd, level, name, 1)
				answers[fmt.Sprintf("set %d %d %s", level, name, what)] = fmt.Sprint(err)
			}
			unix.Close(socket)
		}
	}
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return fatal(err)
	}
	defer unix.Close(fd)
	request, err := unix.NewIfreq("ask%d")
	if err != nil {
		return fatal(err)
	}
	request.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI | unix.IFF_VNET_HDR)
	if err := unix.IoctlIfreq(fd, unix.TUNSETIFF, request); err != nil {
		return fatal(err)
	}
	for bits := range offloadBits {
		answers[fmt.Sprintf("offload %#x of a device", bits)] = fmt.Sprint(unix.IoctlSetInt(fd, unix.TUNSETOFFLOAD, bits))
		answers[fmt.Sprintf("offload %#x of nothing", bits)] = fmt.Sprint(unix.IoctlSetInt(none, unix.TUNSETOFFLOAD, bits))
		answers[fmt.Sprintf("another call, %#x of nothing", bits)] = fmt.Sprint(unix.IoctlSetInt(none, unix.TUNSETLINK, bits))
	}
	text, err := json.Marshal(answers)
	if err != nil {
		return fatal(err)
	}
	fmt.Printf("%s\n", text)
	return 0
}

func TestAKernelOffersLess(t *testing.T) {
	lab := labtest.New(t, netlab.Namespaces, netlab.TUN)
	host := lab.Host("a")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ask := func(h *netlab.Host) (answers map[string]string) {
		t.Helper()
		c := h.Command(self)
		// The race detector otherwise makes every exit wait for a second.
		c.Env = append(os.Environ(), asksKernel+"=1", "GORACE=atexit_sleep_ms=0")
		text, err := c.Output()
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		if err := json.Unmarshal(text, &answers); err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		return answers
	}
	full := ask(host)

	udpOption := func(answers map[string]string, name int) {
		for _, verb := range []string{"get", "set"} {
			for _, what := range []string{"of a socket", "of nothing"} {
				answers[fmt.Sprintf("%s %d %d %s", verb, unix.IPPROTO_UDP, name, what)] = unix.ENOPROTOOPT.Error()
			}
		}
	}
	effects := []struct {
		what  netlab.Refusal
		apply func(map[string]string)
	}{
		{netlab.UDPSegment, func(answers map[string]string) { udpOption(answers, unix.UDP_SEGMENT) }},
		{netlab.UDPGRO, func(answers map[string]string) { udpOption(answers, unix.UDP_GRO) }},
		{netlab.TUNUSO, func(answers map[string]string) {
			for bits := range offloadBits {
				if bits&(unix.TUN_F_USO4|unix.TUN_F_USO6) != 0 {
					for _, what := range []string{"of a device", "of nothing"} {
						answers[fmt.Sprintf("offload %#x %s", bits, what)] = unix.EINVAL.Error()
					}
				}
			}
		}},
	}
	for _, what := range []netlab.Refusal{0, netlab.UDPSegment, netlab.UDPGRO, netlab.TUNUSO, netlab.UDPOffloads} {
		want := maps.Clone(full)
		for _, e := range effects {
			if what&e.what != 0 {
				e.apply(want)
			}
		}
		got := ask(host.Refusing(what))
		for question, answer := range want {
			if got[question] != answer {
				t.Errorf("refusing %b: %s: %s, want %s", what, question, got[question], answer)
			}
		}
	}
	if !maps.Equal(ask(host), full) {
		t.Error("a host refuses what only its view is to refuse")
	}
}

func TestACommandThatIsRefusedSomethingEndsWithTheLaboratory(t *testing.T) {
	labtest.Require(t, netlab.Namespaces)
	lab, err := netlab.New()
	if err != nil {
		t.Fatal(err)
	}
	host := lab.Host("a").Refusing(netlab.UDPOffloads)
	c := host.Command("sleep", "60")
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	if err := lab.Close(); err != nil {
		t.Error(err)
	}
	if c.ProcessState == nil {
		t.Error("it still runs")
	}
	if err := host.Command("true").Start(); !errors.Is(err, netlab.ErrClosed) {
		t.Errorf("started in a closed laboratory: %v", err)
	}
}
