package udp

import (
	"net/netip"
	"testing"
	"time"

	"fathom/test/netlab"
	"fathom/test/netlab/labtest"
	"fathom/test/tier"
)

// TestASlowDestinationStopsNobody: it loses its own datagrams, the others lose
// none, and Flush does not wait. Once it is alone it is waited for, and loses
// nothing any more.
func TestASlowDestinationStopsNobody(t *testing.T) {
	const (
		size, each = 1400, 30
		rounds     = 80
		rate       = 1_000_000 // bits a second, behind which it would take 27 s
	)
	lab := labtest.New(t)
	hub := lab.Host("hub")
	var links []*netlab.Link
	var receivers []*Inbox
	var to []*Destination
	for i, name := range []string{"slow", "fast"} {
		host := lab.Host(name)
		link := lab.Connect(hub, host, netlab.LinkConfig{AddrA: netlab.Prefixes([]string{"10.1.0.1/24", "10.2.0.1/24"}[i]), AddrB: netlab.Prefixes([]string{"10.1.0.2/24", "10.2.0.2/24"}[i]), Offload: true})
		c := listenAt(t, host, netip.IPv4Unspecified(), Config{Offload: true})
		links, receivers = append(links, link), append(receivers, c.Inboxes()[0])
		to = append(to, NewDestination(netip.AddrPortFrom(link.B.Addr4(), c.Addrs()[0].Port()), link.A.Addr4()))
	}
	slow, fast := to[0], to[1]
	links[0].A.LimitRate(rate, 64<<20)
	company := new(Company)
	company.Join()
	company.Join()
	c := listenAt(t, hub, netip.IPv4Unspecified(), Config{DontFragment: true, Offload: true, Sockets: 2, Outlets: 4, Company: company})
	if err := c.NoOutlets(); err != nil {
		t.Fatal(err)
	}
	refused := make(map[any]int)
	var events told
	config := events.config(true)
	config.Refused = func(owner any, datagrams, _ int, why error) {
		if refused[owner] += datagrams; why != ErrFull {
			t.Errorf("refused: %v", why)
		}
	}
	o := c.NewOutbox(config)
	began := time.Now()
	for range rounds {
		for range each {
			put(t, o, slow, size, 1, 0, slow)
			put(t, o, fast, size, 2, 0, fast)
		}
		_ = o.Flush() // refused is told
		if got := len(receive(t, receivers[1], each)); got != each {
			t.Fatalf("%d datagrams have arrived at the fast destination, want %d", got, each)
		}
	}
	took, line := time.Since(began), time.Duration(rounds*each*size*8)*time.Second/rate
	if took > line/4 {
		t.Errorf("the fast destination has waited: it took %v", took)
	}
	if refused[fast] > 0 || refused[slow] == 0 {
		t.Errorf("%d datagrams to the fast, %d to the slow destination are refused", refused[fast], refused[slow])
	}
	if p, q := o.Pressure(slow), o.Pressure(fast); p != Full || q != Roomy {
		t.Errorf("pressure %v on the slow, %v on the fast destination", p, q)
	}

	clear(refused)
	for range rounds {
		put(t, o, slow, size, 1, 0, slow)
		_ = o.Flush() // refused is told
	}
	if o.Waited() || refused[slow] == 0 {
		t.Errorf("the slow destination, used alone for a while: waited: %v, %d refused", o.Waited(), refused[slow])
	}

	company.Leave()
	if p := o.Pressure(slow); p != Roomy {
		t.Errorf("alone, pressure %v", p)
	}
	clear(refused)
	links[0].A.LimitRate(200*rate, 64<<20)
	waited := false
	// A slow machine takes a while until the socket is full.
	for deadline, n := time.Now().Add(time.Minute), 0; n < rounds || !waited && time.Now().Before(deadline); n++ {
		for range each {
			put(t, o, slow, size, 1, 0, slow)
		}
		if err := o.Flush(); err != nil {
			t.Fatal(err)
		}
		waited = o.Waited() || waited
	}
	if len(refused) > 0 || slow.own.Load() != nil || !waited {
		t.Errorf("alone: %v refused, an outlet of its own: %v, waited: %v", refused, slow.own.Load() != nil, waited)
	}
}

// listenAt is Listen on a host of a laboratory.
func listenAt(t *testing.T, host *netlab.Host, address netip.Addr, cfg Config) (c *Conn) {
	t.Helper()
	if err := host.Do(func() (err error) {
		c, err = Listen(address, 0, cfg)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// TestDatagramsLookTheSameByAnyOutlet: they come from the port, and from the
// address, that they come from by the common socket.
func TestDatagramsLookTheSameByAnyOutlet(t *testing.T) {
	lab := labtest.New(t)
	a, b := lab.Host("a"), lab.Host("b")
	lab.Connect(a, b, netlab.LinkConfig{AddrA: netlab.Prefixes("10.1.0.1/24", "10.1.0.3/24", "fd01::1/64", "fd01::3/64"), AddrB: netlab.Prefixes("10.1.0.2/24", "fd01::2/64")})
	addr := func(s string) (a netip.Addr) {
		if s != "" {
			a = netip.MustParseAddr(s)
		}
		return a
	}
	for _, test := range []struct{ host, local, far string }{
		{"", "", "10.1.0.2"}, {"", "10.1.0.3", "10.1.0.2"}, {"10.1.0.3", "", "10.1.0.2"}, {"10.1.0.3", "10.1.0.3", "10.1.0.2"},
		{"", "", "fd01::2"}, {"", "fd01::3", "fd01::2"}, {"fd01::3", "", "fd01::2"}, {"fd01::3", "fd01::3", "fd01::2"},
		{"", "10.1.0.99", "10.1.0.2"}, // lost
	} {
		from := listenAt(t, a, addr(test.host), Config{DontFragment: true, Offload: true, Sockets: 2, Outlets: 3})
		at := listenAt(t, b, addr(test.far), Config{Offload: true})
		in := at.Inboxes()[0]
		to := NewDestination(netip.AddrPortFrom(addr(test.far), at.Addrs()[0].Port()), addr(test.local))
		var events told
		o := from.NewOutbox(events.config(true))
		send := func() netip.AddrPort {
			for range 3 {
				put(t, o, to, 1000, 1, 0, nil)
			}
			if err := o.Flush(); err != nil {
				t.Fatalf("%+v: %v", test, err)
			}
			receive(t, in, 3)
			_, arrival := in.Slot(0)
			return arrival.From
		}
		want := send()
		common := from.socketFor(to, true)
		for range 2 {
			if !common.list.part(to, from.socketFor(to, true), 0) || from.socketFor(to, true) == common {
				t.Fatal("no outlet to spare")
			}
			if got := send(); got != want {
				t.Errorf("%+v: from %v, want %v", test, got, want)
			}
		}
		if events.noSegmentations > 0 || !from.Offloads().Segment {
			t.Errorf("%+v: UDP_SEGMENT is not used any more", test)
		}
	}
}

// TestICMPAboutAnOutletReachesAnInbox: the error queue of an outlet has no reader.
func TestICMPAboutAnOutletReachesAnInbox(t *testing.T) {
	for _, host := range []string{"127.0.0.1", "::1"} {
		local := netip.MustParseAddr(host)
		c, err := Listen(local, 0, Config{Offload: true, Sockets: 2, Outlets: 2})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		closed, err := Listen(local, 0, Config{})
		if err != nil {
			t.Fatal(err)
		}
		to := NewDestination(closed.Addrs()[0], local)
		closed.Close()
		if !c.socketFor(to, true).list.part(to, c.socketFor(to, true), 0) {
			t.Fatal("no outlet to spare")
		}
		var events told
		o := c.NewOutbox(events.config(true))
		put(t, o, to, 100, 1, 0, nil)
		if err := o.Flush(); err != nil {
			t.Fatal(err)
		}
		messages := 0
		for deadline := time.Now().Add(time.Minute); messages == 0 && time.Now().Before(deadline); time.Sleep(time.Millisecond) {
			for _, in := range c.Inboxes() {
				messages += in.DrainErrors(func(ICMP) {})
			}
		}
		if own := to.own.Load(); own.errors.drain(own, func(ICMP) {}) > 0 {
			t.Errorf("%s: the outlet is told", host)
		}
		if messages != 1 {
			t.Errorf("%s: %d ICMP messages have reached an inbox", host, messages)
		}
	}
}

// TestOutletsAreForThoseWhoUseThem: who has sent nothing for a while may lose its own
// to another, and the shares of the buffer add up to that of one socket.
func TestOutletsAreForThoseWhoUseThem(t *testing.T) {
	const buffer = 96 << 10
	c := listen(t, Config{Sockets: 2, Outlets: 4, SendBuffer: buffer})
	var list []*Destination
	for range 5 {
		list = append(list, NewDestination(c.Addrs()[0], loopback))
	}
	now := time.Second
	part := func(d *Destination) bool { return c.sockets.Load().out4.part(d, c.socketFor(d, true), now) }
	share := func(d *Destination) int { return int(d.own.Load().limit.Load()) }
	if !part(list[0]) {
		t.Fatal("no outlet to spare")
	}
	whole := share(list[0])
	for _, d := range list[1:4] {
		if !part(d) {
			t.Fatal("no outlet to spare")
		}
	}
	for _, d := range list[:4] {
		if d.own.Load() == c.sockets.Load().out4.common.Load() || share(d) > max(whole/4, 2*minOutletBuffer) {
			t.Errorf("an outlet of %d bytes of %d, or the common one", share(d), whole)
		}
	}
	if part(list[4]) {
		t.Error("there is always one more")
	}
	now += outletIdle / 2
	for _, d := range list[1:4] {
		d.own.Load().used.Store(int64(now))
	}
	now += outletIdle/2 + time.Millisecond
	if !part(list[4]) || list[0].own.Load() != nil || list[4].own.Load() == nil {
		t.Error("an unused outlet is not given away")
	}
	if part(list[0]) {
		t.Error("an outlet that is in use is given away")
	}
	c.sockets.Load().out4.rejoin(list[1])
	if !part(list[0]) {
		t.Error("an outlet that was given back is lost")
	}
	seen := map[*socket]bool{c.sockets.Load().out4.common.Load(): true}
	for _, d := range list {
		if own := d.own.Load(); own != nil {
			if seen[own] {
				t.Error("two destinations have the same outlet of their own")
			}
			seen[own] = true
		}
	}
}

// TestAnOutletOfItsOwnDoesNotAllocate, nor does looking whether it has room.
func TestAnOutletOfItsOwnDoesNotAllocate(t *testing.T) {
	tier.Select(t, tier.Quick, tier.Measures)
	c, far := listen(t, Config{Offload: true, Sockets: 2, Outlets: 2}), listen(t, Config{Offload: true})
	in := far.Inboxes()[0]
	to, other := NewDestination(far.Addrs()[0], loopback), NewDestination(far.Addrs()[0], loopback)
	if !c.sockets.Load().out4.part(to, c.socketFor(to, true), 0) {
		t.Fatal("no outlet to spare")
	}
	var events told
	o := c.NewOutbox(events.config(true))
	datagram := make([]byte, 1200)
	if n := testing.AllocsPerRun(1000, func() {
		for range 20 {
			for _, d := range []*Destination{to, other} {
				_ = o.Pressure(d)
				o.Put(len(append(o.Room(len(datagram)), datagram...)), d, 0, nil)
			}
		}
		o.measure(to.own.Load()) // as Pressure does when it is crowded
		if err := o.Flush(); err != nil {
			t.Fatal(err)
		}
		for arrived := 0; arrived < 2*20*len(datagram); {
			n, err := in.Receive(0, true)
			if err != nil {
				t.Fatal(err)
			}
			for i := range n {
				b, _ := in.Slot(i)
				arrived += len(b)
			}
		}
	}); n > 0 {
		t.Errorf("%v allocations a run", n)
	}
}

// TestFullTellsOfAnOutboxThatWaits: for a link that carries next to nothing.
func TestFullTellsOfAnOutboxThatWaits(t *testing.T) {
	lab := labtest.New(t)
	host, far := lab.Host("host"), lab.Host("far")
	link := lab.Connect(host, far, netlab.LinkConfig{AddrA: netlab.Prefixes("10.1.0.1/24"), AddrB: netlab.Prefixes("10.1.0.2/24"), Offload: true})
	link.A.LimitRate(10_000, 64<<20)
	c := listenAt(t, host, netip.IPv4Unspecified(), Config{Offload: true})
	var events told
	o := c.NewOutbox(events.config(true))
	to := NewDestination(netip.AddrPortFrom(link.B.Addr4(), 9), link.A.Addr4())
	if c.Full() {
		t.Error("full, although nothing was sent")
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for range 1 << 16 { // many times the buffer
			put(t, o, to, 1400, 1, 0, to)
			if o.Free() == 0 || o.Room(1400) == nil {
				if o.Flush() != nil {
					return // the socket is closed
				}
			}
		}
	}()
	for deadline := time.Now().Add(time.Minute); !c.Full(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("no outbox waits")
		}
	}
	c.Close()
	<-ended
	if c.Full() {
		t.Error("full, although no outbox waits any more")
	}
}
