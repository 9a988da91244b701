package udp

import (
	"net/netip"
	"testing"

	"fathom/test/netlab"
	"fathom/test/netlab/labtest"
)

// TestAsDataLeavesByTheSocketOfTheData, and by the outbox's own while that is full.
func TestAsDataLeavesByTheSocketOfTheData(t *testing.T) {
	const size = 1400
	lab := labtest.New(t)
	a, b := lab.Host("a"), lab.Host("b")
	link := lab.Connect(a, b, netlab.LinkConfig{AddrA: netlab.Prefixes("10.1.0.1/24"), AddrB: netlab.Prefixes("10.1.0.2/24"), Offload: true})
	link.A.LimitRate(1_000_000, 64<<20) // what is sent waits
	c := listenAt(t, a, netip.IPv4Unspecified(), Config{DontFragment: true, Offload: true, Sockets: 2})
	to := NewDestination(netip.AddrPortFrom(link.B.Addr4(), 9), link.A.Addr4())
	data, own := c.socketFor(to, true), c.socketFor(to, false)
	if data == own {
		t.Fatal("there is one socket for all")
	}
	var events told
	o := c.NewOutbox(events.config(false))
	for range 60 { // what the bucket lets through at once is no more
		putAsData(o, to, size)
	}
	if err := o.Flush(); err != nil || data.queued() == 0 || own.queued() > 0 {
		t.Fatalf("%v; %d bytes wait in the socket of the data, %d in the other", err, data.queued(), own.queued())
	}
	for n := 0; own.queued() == 0; n++ {
		if n == 10_000 {
			t.Fatal("the socket of the data takes everything")
		}
		putAsData(o, to, size)
		if err := o.Flush(); err != nil {
			t.Fatalf("refused, with %d bytes in the socket of the data and %d in the other: %v", data.queued(), own.queued(), err)
		}
	}
	if len(events.refused) > 0 {
		t.Errorf("%v", events.refused)
	}
}

func putAsData(o *Outbox, to *Destination, size int) {
	o.PutAsData(len(o.Room(size)[:size]), to, 0, nil)
}
