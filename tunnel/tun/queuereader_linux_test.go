package tun

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"fathom/test/netlab"
	"fathom/tunnel/host"
	"fathom/tunnel/inner"
)

// TestAQueueIsReadUntilItIsEmpty without waiting, whether or not the device has
// superpackets: what is ready leaves together.
func TestAQueueIsReadUntilItIsEmpty(t *testing.T) {
	for _, offload := range []bool{true, false} {
		for _, to := range []string{"10.9.0.2:7", "[fd09::2]:7"} {
			t.Run(fmt.Sprintf("offload %v, to %s", offload, to), func(t *testing.T) {
				inHost(t, func(on *netlab.Host) {
					d, err := Open("fathom0", Config{Offload: offload, Queues: 1})
					if err != nil {
						t.Fatal(err)
					}
					defer d.Close()
					link, err := host.Attach("fathom0", host.Config{Addresses: netlab.Prefixes("10.9.0.1/24", "fd09::1/64"), MTU: 1438})
					if err != nil {
						t.Fatal(err)
					}
					defer link.Close()
					conn, err := on.Dial("udp", to)
					if err != nil {
						t.Fatal(err)
					}
					defer conn.Close()
					const datagrams = 100
					for i := range datagrams {
						if _, err := conn.Write(bytes.Repeat([]byte{byte(i)}, 1+i)); err != nil {
							t.Fatal(err)
						}
					}
					r, next := d.Readers()[0], 0
					row, together := 0, 0
					for began := time.Now(); next < datagrams && time.Since(began) < time.Minute; {
						packet, o, err := r.Read(false)
						if err == ErrEmpty { // the host may not have queued all of them yet
							row = 0
							time.Sleep(time.Millisecond)
							continue
						} else if err != nil {
							t.Fatal(err)
						}
						row++
						together = max(together, row)
						if o.Kind != inner.GSONone || !offload && o != (inner.Offload{}) {
							t.Fatalf("%+v", o)
						}
						headers := 28
						if packet[0]>>4 == 6 {
							headers = 48
						}
						// The host looks for IPv6 routers, too.
						if payload := packet[min(headers, len(packet)):]; bytes.Equal(payload, bytes.Repeat([]byte{byte(next)}, 1+next)) {
							next++
						}
					}
					if next != datagrams {
						t.Errorf("%d datagrams in order", next)
					}
					if together < 2 {
						t.Error("the queue is taken for empty after each packet")
					}
				})
			})
		}
	}
}
