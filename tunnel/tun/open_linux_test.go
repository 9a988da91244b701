package tun

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"fathom/test/netlab"
	"fathom/test/netlab/labtest"
	"fathom/tunnel/host"
)

// inHost runs fn in a network namespace, so that no device outlives the test.
func inHost(t *testing.T, fn func(on *netlab.Host)) {
	t.Helper()
	on := labtest.New(t, netlab.Namespaces, netlab.TUN).Host("a")
	if err := on.Do(func() error { fn(on); return nil }); err != nil {
		t.Fatal(err)
	}
}

// makePersistent is ip tuntap add.
func makePersistent(t *testing.T, name string, flags uint16) {
	t.Helper()
	fd, err := openQueue(name, flags)
	if err == nil {
		err = unix.IoctlSetInt(fd, unix.TUNSETPERSIST, 1)
		unix.Close(fd)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// exchanges lets the host talk to itself through the device, in several flows:
// what it sends there is handed back to it. The device stays open until the
// test ends.
func exchanges(t *testing.T, on *netlab.Host, d *Device) {
	t.Helper()
	t.Cleanup(func() { d.Close() })
	readers := d.Readers()
	if len(readers) != d.Queues() {
		t.Errorf("%d readers of %d queues", len(readers), d.Queues())
	}
	for _, r := range readers {
		w := d.NewWriter()
		go func() {
			for {
				packet, o, err := r.Read(true)
				if err != nil {
					return
				}
				if len(packet) < 28 || packet[0]>>4 != 4 {
					continue // the host looks for IPv6 routers
				}
				swap(packet[12:16], packet[16:20]) // the checksums stay
				swap(packet[20:22], packet[22:24])
				if err := w.Write([][]byte{packet[:28], packet[28:]}, o); err != nil {
					t.Errorf("write: %v", err)
				}
			}
		}()
	}
	exchange(t, on)
	if mtu, err := d.MTU(); mtu != 1438 || err != nil {
		t.Errorf("MTU %d, %v", mtu, err)
	}
}

// exchange gives the device its addresses, and lets the host talk to itself.
func exchange(t *testing.T, on *netlab.Host) {
	t.Helper()
	link, err := host.Attach("fathom0", host.Config{Addresses: netlab.Prefixes("10.9.0.1/24", "fd09::1/64"), MTU: 1438})
	if err != nil {
		t.Fatal(err)
	}
	link.Close()
	for flow := range 8 {
		conn, err := on.Dial("udp", "10.9.0.2:7")
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		sent := bytes.Repeat([]byte{byte(flow)}, 1000+flow)
		if _, err := conn.Write(sent); err != nil {
			t.Fatal(err)
		}
		if err := conn.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		b := make([]byte, 2000)
		if n, err := conn.Read(b); err != nil || !bytes.Equal(b[:n], sent) {
			t.Fatalf("flow %d: %d bytes, %v", flow, n, err)
		}
	}
}

func swap(a, b []byte) {
	for i := range a {
		a[i], b[i] = b[i], a[i]
	}
}

func TestADeviceHasOneOwner(t *testing.T) {
	configs := map[string]Config{
		"one queue": {Offload: true, Queues: 1}, "four queues": {Offload: true, Queues: 4}, "offload off": {Queues: 1},
	}
	for first := range configs {
		for second := range configs {
			t.Run(first+", then "+second, func(t *testing.T) {
				inHost(t, func(*netlab.Host) {
					d, err := Open("fathom0", configs[first])
					if err != nil {
						t.Fatal(err)
					}
					defer d.Close()
					before := queuesOf("fathom0")
					other, err := Open("fathom0", configs[second])
					if !errors.Is(err, unix.EBUSY) {
						if err == nil {
							other.Close()
						}
						t.Errorf("error %v", err)
					}
					if after := queuesOf("fathom0"); after != before {
						t.Errorf("%d queues, before %d", after, before)
					}
				})
			})
		}
	}
}

// TestOfTwoAtOnceOneGetsTheDevice: at most one. They must not share it.
func TestOfTwoAtOnceOneGetsTheDevice(t *testing.T) {
	for _, persistent := range []bool{false, true} {
		inHost(t, func(on *netlab.Host) {
			if persistent {
				makePersistent(t, "fathom0", unix.IFF_MULTI_QUEUE)
			}
			got := 0
			for range 20 {
				type result struct {
					device *Device
					err    error
				}
				results := make(chan result)
				for range 2 {
					go on.Do(func() error {
						d, err := Open("fathom0", Config{Offload: true, Queues: 4})
						results <- result{d, err}
						return nil
					})
				}
				var owners []*Device
				for range 2 {
					if r := <-results; r.err == nil {
						owners = append(owners, r.device)
					} else if !errors.Is(r.err, unix.EBUSY) {
						t.Errorf("error %v", r.err)
					}
				}
				if len(owners) > 1 {
					t.Fatal("two owners")
				}
				for _, d := range owners {
					got++
					d.Close()
				}
			}
			t.Logf("persistent %v: %d of 20 times somebody got it", persistent, got)
			if !persistent && got != 20 {
				t.Error("a new device always has an owner")
			}
		})
	}
}

// TestPersistentDevices are taken as they are, again and again, but not by two
// at once.
func TestPersistentDevices(t *testing.T) {
	for _, test := range []struct {
		multi  bool
		config Config
		got    int
		super  bool
	}{
		{false, Config{Offload: true, Queues: 1}, 1, true},
		{false, Config{Offload: true, Queues: 4}, 1, true},
		{false, Config{Queues: 4}, 1, false},
		{true, Config{Offload: true, Queues: 1}, 1, true},
		{true, Config{Offload: true, Queues: 4}, 4, true},
		{true, Config{Queues: 4}, 1, false},
	} {
		t.Run(fmt.Sprintf("multi_queue %v, %+v", test.multi, test.config), func(t *testing.T) {
			inHost(t, func(on *netlab.Host) {
				var flags uint16
				if test.multi {
					flags = unix.IFF_MULTI_QUEUE
				}
				makePersistent(t, "fathom0", flags)
				// The last owner had superpackets, and has left it so.
				last, err := Open("fathom0", Config{Offload: true, Queues: 4})
				if err != nil {
					t.Fatal(err)
				}
				last.Close()
				for range 2 {
					d, err := Open("fathom0", test.config)
					if err != nil {
						t.Fatal(err)
					}
					exchanges(t, on, d)
					if d.Queues() != test.got || d.Features().TCP != test.super {
						t.Errorf("%d queues, %+v", d.Queues(), d.Features())
					}
					if _, err := Open("fathom0", test.config); !errors.Is(err, unix.EBUSY) {
						t.Errorf("a second owner: error %v", err)
					}
					d.Close()
				}
			})
		})
	}
}

// TestWithoutSuperpackets asks the kernel for what it refuses.
func TestWithoutSuperpackets(t *testing.T) {
	const refusedFlag = unix.IFF_NAPI_FRAGS // of TAP devices alone
	for _, queues := range []int{1, 4} {
		t.Run(fmt.Sprintf("queues %d", queues), func(t *testing.T) {
			inHost(t, func(on *netlab.Host) {
				shapes := shapesOf(Config{Offload: true, Queues: queues})
				for i := range shapes {
					if shapes[i].flags&unix.IFF_VNET_HDR != 0 {
						shapes[i].flags |= refusedFlag
						_, _, err := shapes[i].open("fathom0")
						if errors.Is(err, unix.EPERM) {
							labtest.Missing(t, fmt.Errorf("root outside of a user namespace, for IFF_NAPI_FRAGS: %w", err))
						}
						if !errors.Is(err, unix.EINVAL) {
							t.Fatalf("not refused: %v", err)
						}
					}
				}
				d, err := open("fathom0", shapes)
				if err != nil {
					t.Fatal(err)
				}
				exchanges(t, on, d)
				if d.Queues() != 1 || d.Features() != (Features{}) {
					t.Errorf("%d queues, %+v", d.Queues(), d.Features())
				}
			})
		})
	}
}

// TestADeletedDeviceIsMadeAgain, and who reads and writes goes on with it.
func TestADeletedDeviceIsMadeAgain(t *testing.T) {
	for _, config := range []Config{{Offload: true, Queues: 4}, {Offload: true, Queues: 1}, {Queues: 1}} {
		t.Run(fmt.Sprintf("%+v", config), func(t *testing.T) {
			inHost(t, func(on *netlab.Host) {
				d, err := Open("fathom0", config)
				if err != nil {
					t.Fatal(err)
				}
				exchanges(t, on, d) // its readers and writers stay
				queues := d.Queues()
				for range 3 {
					link, err := netlink.LinkByName("fathom0")
					if err == nil {
						err = netlink.LinkDel(link)
					}
					if err != nil {
						t.Fatal(err)
					}
					if err := d.Reopen(); err != nil {
						t.Fatal(err)
					}
					exchange(t, on)
					if n := queuesOf("fathom0"); config.Queues > 1 && n != queues || d.Queues() != queues {
						t.Errorf("%d queues, before %d", n, queues)
					}
				}
				if err := d.Reopen(); !errors.Is(err, unix.EBUSY) {
					t.Errorf("error %v of a device that is there", err)
				}
				exchange(t, on)
				if err := d.Close(); err != nil {
					t.Error(err)
				}
				if err := d.Reopen(); !errors.Is(err, os.ErrClosed) {
					t.Errorf("after Close: error %v", err)
				}
			})
		})
	}
}

// TestTheNameOfAnotherInterface cannot be a tunnel's.
func TestTheNameOfAnotherInterface(t *testing.T) {
	inHost(t, func(*netlab.Host) {
		for _, queues := range []int{1, 4} {
			if _, err := Open("lo", Config{Offload: true, Queues: queues}); !errors.Is(err, unix.EINVAL) {
				t.Errorf("error %v", err)
			}
		}
	})
}
