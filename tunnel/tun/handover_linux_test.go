package tun

import (
	"errors"
	"fmt"
	"os"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"fathom/test/netlab"
)

// stored returns copies of the queues of a device, as a service manager keeps them.
func stored(t *testing.T, d *Device) (files []*os.File) {
	t.Helper()
	err := d.HandOver(func(queues []int) error {
		for _, fd := range queues {
			copied, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
			if err != nil {
				return err
			}
			f := os.NewFile(uintptr(copied), "queue")
			t.Cleanup(func() { f.Close() })
			files = append(files, f)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(files) != d.Queues() {
		t.Fatalf("%d descriptors of %d queues", len(files), d.Queues())
	}
	return files
}

// TestADeviceIsHandedOver from owner to owner: it stays the same interface, with its
// address and what else the host knows of it.
func TestADeviceIsHandedOver(t *testing.T) {
	for _, config := range []Config{{Offload: true, Queues: 4}, {Offload: true, Queues: 1}, {Queues: 1}} {
		t.Run(fmt.Sprintf("%+v", config), func(t *testing.T) {
			inHost(t, func(on *netlab.Host) {
				d, err := Open("fathom0", config)
				if err != nil {
					t.Fatal(err)
				}
				exchanges(t, on, d)
				link, err := netlink.LinkByName("fathom0")
				if err != nil {
					t.Fatal(err)
				}
				for range 3 {
					kept := stored(t, d)
					if err := d.Close(); err != nil {
						t.Fatal(err)
					}
					features := d.Features()
					if d, err = Adopt("fathom0", config, kept); err != nil {
						t.Fatal(err)
					}
					for _, f := range kept {
						f.Close()
					}
					if d.Features() != features {
						t.Errorf("features %+v, before %+v", d.Features(), features)
					}
					exchanges(t, on, d)
					now, err := netlink.LinkByName("fathom0")
					if err != nil || now.Attrs().Index != link.Attrs().Index {
						t.Fatalf("interface %v, before %v (%v)", now, link, err)
					}
				}
				if err := d.Close(); err != nil {
					t.Fatal(err)
				}
				if _, err := netlink.LinkByName("fathom0"); err == nil {
					t.Error("the interface is there though all its queues are closed")
				}
				if err := d.HandOver(func([]int) error { return nil }); !errors.Is(err, os.ErrClosed) {
					t.Errorf("after Close: error %v", err)
				}
			})
		})
	}
}

// TestOtherQueuesAreNotTaken, and all descriptors that were made for it are closed.
func TestOtherQueuesAreNotTaken(t *testing.T) {
	inHost(t, func(*netlab.Host) {
		four, err := Open("fathom0", Config{Offload: true, Queues: 4})
		if err != nil {
			t.Fatal(err)
		}
		defer four.Close()
		one, err := Open("fathom1", Config{Offload: true, Queues: 1})
		if err != nil {
			t.Fatal(err)
		}
		defer one.Close()
		plain, err := Open("fathom2", Config{Queues: 1})
		if err != nil {
			t.Fatal(err)
		}
		defer plain.Close()
		queues, single := stored(t, four), stored(t, one)
		null, err := os.Open(os.DevNull)
		if err != nil {
			t.Fatal(err)
		}
		defer null.Close()
		simple := stored(t, plain)
		open := descriptors(t)
		for _, test := range []struct {
			why    string
			name   string
			config Config
			queues []*os.File
		}{
			{"the configuration wants fewer", "fathom0", Config{Offload: true, Queues: 2}, queues},
			{"the configuration wants no superpackets", "fathom0", Config{Queues: 1}, queues[:1]},
			{"the configuration wants superpackets and more", "fathom2", Config{Offload: true, Queues: 4}, simple},
			{"one is missing", "fathom0", Config{Offload: true, Queues: 3}, queues[:3]},
			{"another name", "fathom1", Config{Offload: true, Queues: 4}, queues},
			{"another device", "fathom0", Config{Offload: true, Queues: 1}, single},
			{"one of another device", "fathom0", Config{Offload: true, Queues: 4}, append(append([]*os.File(nil), queues[:3]...), single[0])},
			{"no device at all", "fathom0", Config{Offload: true, Queues: 1}, []*os.File{null}},
			{"nothing", "fathom0", Config{Offload: true, Queues: 1}, nil},
		} {
			if d, err := Adopt(test.name, test.config, test.queues); !errors.Is(err, ErrOther) {
				t.Errorf("%s: error %v", test.why, err)
				if d != nil {
					d.Close()
				}
			}
		}
		if now := descriptors(t); now != open {
			t.Errorf("%d open descriptors, before %d", now, open)
		}
	})
}

// descriptors counts those of this process.
func descriptors(t *testing.T) int {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}
