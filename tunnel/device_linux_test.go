package tunnel

import (
	"fmt"
	"log/slog"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.zx2c4.com/wireguard/tun/tuntest"

	"fathom/conf"
	"fathom/test/netlab"
	"fathom/test/netlab/labtest"
	"fathom/tunnel/tun"
	"fathom/tunnel/udp"
)

// What a tunnel logs of its device.
const (
	logsSingle = "no segmentation offload on the TUN device: packets go one by one"
	logsOne    = "the TUN device takes one queue only"
)

// logsOf returns how often a tunnel logs each of the two about a device.
func logsOf(config conf.Tunnel, d *tun.Device) (single, one int) {
	log := &logRecorder{seen: make(map[string]int)}
	(&Tunnel{config: config, log: slog.New(log)}).logDevice(d)
	return log.count(logsSingle), log.count(logsOne)
}

// TestLogsWhatADeviceLacks with persistent devices, which may take one queue.
func TestLogsWhatADeviceLacks(t *testing.T) {
	for _, test := range []struct {
		multi   bool
		offload string
		queues  int
		one     int
	}{
		{false, conf.OffloadAuto, 1, 0},
		{false, conf.OffloadAuto, 4, 1},
		{false, conf.OffloadOff, 4, 0},
		{true, conf.OffloadAuto, 1, 0},
		{true, conf.OffloadAuto, 4, 0},
		{true, conf.OffloadOff, 4, 0},
	} {
		t.Run(fmt.Sprintf("multi_queue %v, offload %s, queues %d", test.multi, test.offload, test.queues), func(t *testing.T) {
			on := labtest.New(t, netlab.Namespaces, netlab.TUN).Host("a")
			if err := on.Do(func() error {
				link := &netlink.Tuntap{LinkAttrs: netlink.LinkAttrs{Name: "fathom0"}, Mode: netlink.TUNTAP_MODE_TUN, Flags: netlink.TUNTAP_NO_PI}
				if test.multi {
					link.Flags |= netlink.TUNTAP_MULTI_QUEUE
				}
				if err := netlink.LinkAdd(link); err != nil {
					return err
				}
				for _, queue := range link.Fds {
					queue.Close()
				}
				config := conf.Tunnel{Name: "fathom0", Offload: test.offload, Queues: test.queues}
				d, err := tun.Open("fathom0", (&Tunnel{config: config}).deviceConfig())
				if err != nil {
					return err
				}
				defer d.Close()
				if single, one := logsOf(config, d); single != 0 || one != test.one {
					t.Errorf("%d queues, %+v: logs %q %d times, %q %d times", d.Queues(), d.Features(), logsSingle, single, logsOne, one)
				}
				return nil
			}); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// TestReportsADeviceWithoutSuperpackets in the log and in the status.
func TestReportsADeviceWithoutSuperpackets(t *testing.T) {
	for _, queues := range []int{1, 4} {
		config := conf.Tunnel{Name: "fathom0", Offload: conf.OffloadAuto, Queues: queues}
		d := tun.Wrap(tuntest.NewChannelTUN().TUN())
		if single, one := logsOf(config, d); single != 1 || one != 0 {
			t.Errorf("logs %q %d times, %q %d times", logsSingle, single, logsOne, one)
		}
		r := &reporter{tunnel: &Tunnel{config: config}, device: d, conn: new(udp.Conn)}
		if s := r.offload(); s.Queues != 1 || s.DeviceTCP || s.DeviceUDP {
			t.Errorf("status %+v", s)
		}
	}
}
