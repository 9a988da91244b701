//go:build linux

package packages

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/ipv4"
	"golang.org/x/sys/unix"

	"fathom/test/tier"
)

func init() { transfers["drizzle"], transfers["watch"] = drizzle, watch }

// TestReloadAndHandOver has a tunnel reloaded, and its device handed over by systemd from
// process to process, at a restart, a crash and an upgrade, in the middle of a transfer:
// testdata/reload.sh, handover.sh.
func TestReloadAndHandOver(t *testing.T) {
	tier.Select(t, tier.EitherWay)
	t.Parallel()
	available(t)
	reloadAndHandOver(t, "")
}

// reloadAndHandOver does so on a host with the given root, and judges it.
func reloadAndHandOver(t *testing.T, root string) {
	t.Helper()
	output := boot(t, root, "pair", "transfer", "reload", "handover")
	got := fields(output)
	want := map[string]string{"hash": "right", "clear": "0", "refused": "0", "upgraded": newer}
	for _, event := range []string{"restart", "crash", "upgrade"} {
		want[event] = "another process, the same device"
	}
	// Another device is wanted, or the store has none that can be used.
	want["queues"] = "another device"
	want["renamed"] = "fathom7, and nothing of fathom0"
	want["mistake"] = "failed, refused"
	want["started"] = "another process, another device"
	// Nothing is left, and what was for the peer leaves in clear text.
	want["stopped"], want["released"], want["left"], want["opened"] = "inactive", "inactive", "", "yes"
	want["default"], want["default_left"], want["mark"] = "another process, the same device", "", "0"
	want["block"] = "refused"
	want["unblocked"] = ""
	// A reload.
	want["reload"], want["used"], want["kept"] = "active", "yes", "the process, its SAs, its route"
	want["faulty"], want["unchanged"], want["gone"] = "1 active", "yes", ""
	want["journal"], want["shown"] = strings.TrimSpace(got["mistakes"]), strings.TrimSpace(got["mistakes"])
	if n := len(strings.Fields(got["mistakes"])); n != 2 {
		t.Errorf("%d mistakes in the file", n)
	}
	expect(t, output, want)
	for _, event := range []string{"reload", "faulty", "restart", "crash", "upgrade"} {
		tier.Figure(t, "the pause of a transfer, %s: %s", event, got[event+"_gap"])
	}
}

// drizzle sends a datagram to an address and a port every millisecond, until it is told
// to end. It says how many the host has refused.
func drizzle(address string) error {
	conn, err := net.Dial("udp", address)
	if err != nil {
		return err
	}
	end := make(chan os.Signal, 1)
	signal.Notify(end, unix.SIGTERM)
	refused := 0
	for {
		select {
		case <-end:
			fmt.Println(refused)
			return nil
		case <-time.After(time.Millisecond):
			if _, err := conn.Write([]byte("drizzle")); err != nil && !errors.Is(err, unix.ECONNREFUSED) {
				refused++
			}
		}
	}
}

// watch counts the packets from or to an address on an interface (INTERFACE,ADDRESS),
// and writes their number into the file "clear" of the current directory after each.
func watch(what string) error {
	name, text, _ := strings.Cut(what, ",")
	address, err := netip.ParseAddr(text)
	if err != nil {
		return err
	}
	link, err := net.InterfaceByName(name)
	if err != nil {
		return err
	}
	const all = unix.ETH_P_ALL<<8 | unix.ETH_P_ALL>>8 // in network order
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM, all)
	if err != nil {
		return err
	}
	if err := unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: all, Ifindex: link.Index}); err != nil {
		return err
	}
	packet := make([]byte, 1<<16)
	for n := 0; ; {
		if err := os.WriteFile("clear", []byte(strconv.Itoa(n)), 0o644); err != nil {
			return err
		}
		for before := n; n == before; {
			size, _, err := unix.Recvfrom(fd, packet, 0)
			if err != nil && !errors.Is(err, unix.EINTR) {
				return err
			}
			if size < ipv4.HeaderLen || packet[0]>>4 != 4 {
				continue
			}
			if source, destination := netip.AddrFrom4([4]byte(packet[12:])), netip.AddrFrom4([4]byte(packet[16:])); source == address || destination == address {
				n++
			}
		}
	}
}
