package udp

import (
	"errors"
	"net"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"fathom/test/netlab/labtest"
)

// TestALostSourceAddressIsLeftOut: the kernel chooses where the host does not have
// the address any more.
func TestALostSourceAddressIsLeftOut(t *testing.T) {
	from, to := listen(t, Config{}), listen(t, Config{})
	var events told
	o := from.NewOutbox(events.config(true))
	put(t, o, NewDestination(to.Addrs()[0], netip.MustParseAddr("192.0.2.1")), 100, 1, 0, nil)
	if err := o.Flush(); err != nil {
		t.Fatal(err)
	}
	receive(t, to.Inboxes()[0], 1)
}

// TestALostSourceAddressIsNotLeftOut where the datagram is to leave from that one exactly:
// it is refused, and none beside it.
func TestALostSourceAddressIsNotLeftOut(t *testing.T) {
	for _, test := range []struct{ here, lost string }{{"127.0.0.1", "192.0.2.77"}, {"::1", "2001:db8::77"}} {
		t.Run(test.here, func(t *testing.T) {
			here, lost := netip.MustParseAddr(test.here), netip.MustParseAddr(test.lost)
			sink, err := net.ListenPacket("udp", netip.AddrPortFrom(here, 0).String())
			must(t, err)
			defer sink.Close()
			c, err := Listen(netip.Addr{}, 0, Config{Offload: true})
			must(t, err)
			defer c.Close()
			var told told
			o := c.NewOutbox(told.config(true))
			at := sink.LocalAddr().(*net.UDPAddr).AddrPort()
			put(t, o, NewDestination(at, lost).Exactly(), 100, 1, 0, nil)
			put(t, o, NewDestination(at, here).Exactly(), 100, 2, 0, nil)
			put(t, o, NewDestination(at, lost), 100, 3, 0, nil)
			if err := o.Flush(); !errors.Is(err, ErrNoSource) {
				t.Errorf("error %v", err)
			}
			if len(told.refused) != 1 {
				t.Errorf("refused: %v, want one datagram", told.refused)
			}
			b := make([]byte, 200)
			for _, want := range []byte{2, 3} {
				sink.SetReadDeadline(time.Now().Add(20 * time.Second))
				n, _, err := sink.ReadFrom(b)
				if err != nil || n != 100 || b[0] != want {
					t.Errorf("%d bytes of datagram %d, %v; want %d", n, b[0], err, want)
				}
			}
			// Without a route it is not the address that is missing.
			lab := labtest.New(t).Host("without routes")
			must(t, lab.Do(func() error {
				if hostHas(netip.MustParseAddr("192.0.2.77")) {
					t.Error("has an address that it does not have")
				}
				lab.Interface("lo").AddAddress(netip.MustParsePrefix("192.0.2.77/32"))
				if saysNoSource(unix.ENETUNREACH, netip.MustParseAddr("192.0.2.77")) {
					t.Error("a missing route is taken for a missing address")
				}
				return nil
			}))
		})
	}
}
