package tunnel

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"fathom/conf"
	"fathom/test/netlab"
	"fathom/test/netlab/labtest"
)

// inHost runs fn in a network namespace, so that no device outlives the test.
func inHost(t *testing.T, fn func(host *netlab.Host)) {
	t.Helper()
	host := labtest.New(t, netlab.Namespaces, netlab.TUN).Host("a")
	if err := host.Do(func() error { fn(host); return nil }); err != nil {
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

// exchanges opens the device as a tunnel does, and hands packets of the host,
// in several flows, back to it. It returns what the tunnel has said in its log.
func exchanges(t *testing.T, host *netlab.Host, config conf.Tunnel, shapes []deviceShape) (*tunDevice, *logRecorder) {
	t.Helper()
	addresses := []netip.Prefix{netip.MustParsePrefix("10.9.0.1/24"), netip.MustParsePrefix("fd09::1/64")}
	d, link, err := openDevice(config.Name, addresses, 1438, shapes)
	if err != nil {
		t.Fatal(err)
	}
	link.close()
	t.Cleanup(func() { d.Close() })
	if mtu, err := d.MTU(); mtu != 1438 || err != nil {
		t.Errorf("MTU %d, %v", mtu, err)
	}
	log := &logRecorder{seen: make(map[string]int)}
	packets, err := (&Tunnel{config: config, log: slog.New(log)}).openPackets(d)
	if err != nil {
		t.Fatal(err)
	}
	readers := packets.readers()
	if len(readers) != d.queues() {
		t.Errorf("%d readers of %d queues", len(readers), d.queues())
	}
	for _, r := range readers {
		w := packets.writer()
		go func() {
			for {
				packet, o, err := r.read(true)
				if err != nil {
					return
				}
				if len(packet) < 28 || packet[0]>>4 != 4 {
					continue // the host looks for IPv6 routers
				}
				swap(packet[12:16], packet[16:20]) // the checksums stay
				swap(packet[20:22], packet[22:24])
				if err := w.write([][]byte{packet}, o); err != nil {
					t.Errorf("write: %v", err)
				}
			}
		}()
	}
	for flow := range 8 {
		conn, err := host.Dial("udp", "10.9.0.2:7")
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		sent := bytes.Repeat([]byte{byte(flow)}, 1000+flow)
		if _, err := conn.Write(sent); err != nil {
			t.Fatal(err)
		}
		if err := conn.SetReadDeadline(time.Now().Add(hanging)); err != nil {
			t.Fatal(err)
		}
		b := make([]byte, 2000)
		if n, err := conn.Read(b); err != nil || !bytes.Equal(b[:n], sent) {
			t.Fatalf("flow %d: %d bytes, %v", flow, n, err)
		}
	}
	return d, log
}

func swap(a, b []byte) {
	for i := range a {
		a[i], b[i] = b[i], a[i]
	}
}

// What a tunnel says about its device.
const (
	saysSingle = "no segmentation offload on the TUN device: packets go one by one"
	saysOne    = "the TUN device takes one queue only"
)

func TestADeviceHasOneOwner(t *testing.T) {
	shapes := map[string][]deviceShape{
		"one queue": deviceShapes(1, true), "four queues": deviceShapes(4, true), "offload off": deviceShapes(1, false),
	}
	for first := range shapes {
		for second := range shapes {
			t.Run(first+", then "+second, func(t *testing.T) {
				inHost(t, func(*netlab.Host) {
					d, err := createTUN("fathom0", shapes[first])
					if err != nil {
						t.Fatal(err)
					}
					defer d.Close()
					before := queuesOf("fathom0")
					other, err := createTUN("fathom0", shapes[second])
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

// TestOfTwoAtOnceOneGetsTheDevice, at most: that they do not share it is what
// counts.
func TestOfTwoAtOnceOneGetsTheDevice(t *testing.T) {
	for _, persistent := range []bool{false, true} {
		inHost(t, func(host *netlab.Host) {
			if persistent {
				makePersistent(t, "fathom0", unix.IFF_MULTI_QUEUE)
			}
			got := 0
			for range 20 {
				type result struct {
					device *tunDevice
					err    error
				}
				results := make(chan result)
				for range 2 {
					go host.Do(func() error {
						d, err := createTUN("fathom0", deviceShapes(4, true))
						results <- result{d, err}
						return nil
					})
				}
				var owners []*tunDevice
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
	type says = map[string]int
	for _, test := range []struct {
		multi   bool
		offload string
		queues  int
		super   bool
		got     int
		says    says
	}{
		{false, conf.OffloadAuto, 1, true, 1, says{}},
		{false, conf.OffloadAuto, 4, true, 1, says{saysOne: 1}},
		{false, conf.OffloadOff, 4, false, 1, says{}},
		{true, conf.OffloadAuto, 1, true, 1, says{}},
		{true, conf.OffloadAuto, 4, true, 4, says{}},
		{true, conf.OffloadOff, 4, false, 1, says{}},
	} {
		t.Run(fmt.Sprintf("multi_queue %v, offload %s, queues %d", test.multi, test.offload, test.queues), func(t *testing.T) {
			inHost(t, func(host *netlab.Host) {
				var flags uint16
				if test.multi {
					flags = unix.IFF_MULTI_QUEUE
				}
				makePersistent(t, "fathom0", flags)
				// The last owner had superpackets, and has left it so.
				last, err := createTUN("fathom0", deviceShapes(4, true))
				if err != nil {
					t.Fatal(err)
				}
				last.Close()
				tunnel := &Tunnel{config: conf.Tunnel{Name: "fathom0", Offload: test.offload, Queues: test.queues}}
				shapes := deviceShapes(tunnel.queues(), test.offload != conf.OffloadOff)
				for range 2 {
					d, log := exchanges(t, host, tunnel.config, shapes)
					if d.queues() != test.got || d.features.tcp != test.super {
						t.Errorf("%d queues, %+v", d.queues(), d.features)
					}
					for _, message := range []string{saysOne, saysSingle} {
						if log.count(message) != test.says[message] {
							t.Errorf("%d times %q", log.count(message), message)
						}
					}
					if _, err := createTUN("fathom0", shapes); !errors.Is(err, unix.EBUSY) {
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
			inHost(t, func(host *netlab.Host) {
				shapes := deviceShapes(queues, true)
				for i := range shapes {
					if shapes[i].flags&unix.IFF_VNET_HDR != 0 {
						shapes[i].flags |= refusedFlag
						_, err := shapes[i].create("fathom0")
						if errors.Is(err, unix.EPERM) {
							labtest.Missing(t, fmt.Errorf("root outside of a user namespace, for IFF_NAPI_FRAGS: %w", err))
						}
						if !errors.Is(err, unix.EINVAL) {
							t.Fatalf("not refused: %v", err)
						}
					}
				}
				config := conf.Tunnel{Name: "fathom0", Offload: conf.OffloadAuto, Queues: queues}
				d, log := exchanges(t, host, config, shapes)
				if d.queues() != 1 || d.features != (deviceFeatures{}) {
					t.Errorf("%d queues, %+v", d.queues(), d.features)
				}
				if log.count(saysSingle) != 1 || log.count(saysOne) != 0 {
					t.Errorf("said: %v", log.seen)
				}
				r := &reporter{tunnel: &Tunnel{config: config}, device: d, packets: portableDevice{d.Device}, sockets: new(udpSockets)}
				if s := r.offload(); s.Queues != 1 || s.DeviceTCP || s.DeviceUDP {
					t.Errorf("status %+v", s)
				}
			})
		})
	}
}

// TestTheNameOfAnotherInterface cannot be a tunnel's.
func TestTheNameOfAnotherInterface(t *testing.T) {
	inHost(t, func(*netlab.Host) {
		for _, queues := range []int{1, 4} {
			if _, err := createTUN("lo", deviceShapes(queues, true)); !errors.Is(err, unix.EINVAL) {
				t.Errorf("error %v", err)
			}
		}
	})
}
