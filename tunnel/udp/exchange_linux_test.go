package udp

import (
	"errors"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestAConnChangesItsPort: datagrams leave from the new port at once, also those to a
// place that had an outlet of its own; both ports receive until the old one is closed.
func TestAConnChangesItsPort(t *testing.T) {
	for _, waits := range []bool{true, false} {
		c, far := listen(t, Config{Offload: true, Sockets: 2, Outlets: 2}), listen(t, Config{})
		in := far.Inboxes()[0]
		old := c.Addrs()[0]
		oldBoxes := c.Inboxes()
		to, slow := NewDestination(far.Addrs()[0], loopback), NewDestination(far.Addrs()[0], loopback)
		if !c.sockets.Load().out4.part(slow, c.socketFor(slow, true), 0) {
			t.Fatal("no outlet to spare")
		}
		var told told
		o := c.NewOutbox(told.config(waits))
		sends := func(want uint16) {
			t.Helper()
			for _, d := range []*Destination{to, slow} {
				put(t, o, d, 100, 1, 0, nil)
				if err := o.Flush(); err != nil {
					t.Fatal(err)
				}
				if n, err := in.Receive(0, true); err != nil || n != 1 {
					t.Fatalf("%d, %v", n, err)
				}
				if _, a := in.Slot(0); a.From.Port() != want {
					t.Errorf("waits %v: from port %d, want %d", waits, a.From.Port(), want)
				}
			}
		}
		sends(old.Port())
		other, err := c.Another()
		if err != nil {
			t.Fatal(err)
		}
		fresh := other.Addrs()[0]
		if fresh.Port() == old.Port() || fresh.Addr() != old.Addr() {
			t.Errorf("%v after %v", fresh, old)
		}
		boxes := other.Inboxes()
		sends(old.Port()) // until the exchange
		c.Exchange(other)
		if c.Addrs()[0] != fresh || other.Addrs()[0] != old {
			t.Errorf("at %v and %v", c.Addrs(), other.Addrs())
		}
		sends(fresh.Port())
		// An outbox that has found the old one full learns that there is another.
		if stale := oldBoxes[0].socket; !stale.list.part(slow, stale.list.common.Load(), 0) || slow.own.Load() != nil {
			t.Error("an outlet of the old port is given away")
		}
		reaches(t, old, oldBoxes)
		reaches(t, fresh, boxes)
		other.Close()
		if _, err := oldBoxes[0].Receive(0, true); !errors.Is(err, net.ErrClosed) {
			t.Errorf("after the end: %v", err)
		}
		reaches(t, fresh, boxes)
		sends(fresh.Port())
		if len(told.refused) > 0 {
			t.Errorf("refused: %v", told.refused)
		}
	}
}

// reaches sends to a place until one of the inboxes has it: the kernel chooses one.
func reaches(t *testing.T, place netip.AddrPort, boxes []*Inbox) {
	t.Helper()
	from, err := net.Dial("udp", place.String())
	if err != nil {
		t.Fatal(err)
	}
	defer from.Close()
	if _, err := from.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	for _, in := range boxes { // over the loopback interface it is there by now
		if n, err := in.Receive(0, false); err != nil {
			t.Fatal(err)
		} else if n > 0 {
			return
		}
	}
	t.Errorf("%v is not reached", place)
}

// TestAnExchangeWhileOthersSend: outboxes that send all the time lose nothing, although
// their sockets are others at each moment.
func TestAnExchangeWhileOthersSend(t *testing.T) {
	const senders, exchanges = 3, 20
	company := new(Company)
	company.Join()
	c, far := listen(t, Config{Offload: true, Sockets: 2, Outlets: 4, Company: company}), listen(t, Config{})
	var stop atomic.Bool
	var sending sync.WaitGroup
	for range senders {
		var told told
		o := c.NewOutbox(told.config(true))
		to := NewDestination(far.Addrs()[0], loopback)
		sending.Go(func() {
			for !stop.Load() {
				o.Put(len(append(o.Room(100), make([]byte, 100)...)), to, 0, nil)
				if err := o.Flush(); err != nil {
					t.Errorf("refused: %v", err)
					return
				}
			}
		})
	}
	for range exchanges {
		other, err := c.Another()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(other.Close)
		c.Exchange(other)
		c.Offloads()
		if c.Addrs()[0] == other.Addrs()[0] {
			t.Error("the same port")
		}
		time.Sleep(time.Millisecond)
	}
	stop.Store(true)
	sending.Wait()
}
