package udp

import (
	"bytes"
	"errors"
	"net/netip"
	"testing"

	"golang.org/x/sys/unix"

	"fathom/test/netlab"
	"fathom/test/netlab/labtest"
)

// told counts the calls of an Outbox's functions.
type told struct {
	refused         map[error]int // datagrams
	refusals        int           // calls
	noSegmentations int
	ptbs            int
}

func (l *told) config(wait bool) OutboxConfig {
	l.refused = make(map[error]int)
	return OutboxConfig{
		Wait:           wait,
		Max:            1 << 16,
		Refused:        func(_ any, datagrams, _ int, why error) { l.refused[why] += datagrams; l.refusals++ },
		ICMP:           func(ICMP) { l.ptbs++ },
		NoSegmentation: func(netip.AddrPort, error) { l.noSegmentations++ },
	}
}

var loopback = netip.MustParseAddr("127.0.0.1")

// listen opens a port of the loopback interface, until the test ends.
func listen(t testing.TB, cfg Config) *Conn {
	t.Helper()
	c, err := Listen(loopback, 0, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// put puts a datagram that is the byte b, size times.
func put(t testing.TB, o *Outbox, to *Destination, size int, b byte, tos uint8, owner any) {
	t.Helper()
	room := o.Room(size)
	if room == nil {
		if err := o.Flush(); err != nil {
			t.Fatal(err)
		}
		room = o.Room(size)
	}
	o.Put(len(append(room, bytes.Repeat([]byte{b}, size)...)), to, tos, owner)
}

// receive reads datagrams until there are as many as wanted.
func receive(t testing.TB, in *Inbox, wanted int) (sizes []int) {
	t.Helper()
	for len(sizes) < wanted {
		n, err := in.Receive(0, true)
		if err != nil {
			t.Fatal(err)
		}
		for i := range n {
			b, a := in.Slot(i)
			for a.Segment > 0 && len(b) > a.Segment {
				sizes = append(sizes, a.Segment)
				b = b[a.Segment:]
			}
			sizes = append(sizes, len(b))
		}
	}
	return sizes
}

// TestRunsArriveAsDatagrams, with offloads or without: runs end with a shorter
// datagram, and where the destination, the TOS octet or the owner changes.
func TestRunsArriveAsDatagrams(t *testing.T) {
	for _, offload := range []bool{true, false} {
		cfg := Config{DontFragment: true, Offload: offload}
		from, to := listen(t, cfg), listen(t, cfg)
		destination := NewDestination(to.Addrs()[0], loopback)
		again := NewDestination(to.Addrs()[0], loopback)
		var events told
		o := from.NewOutbox(events.config(true))
		one, two := new(int), new(int)
		var want []int
		for _, d := range []struct {
			size  int
			to    *Destination
			tos   uint8
			owner any
			run   int // that it belongs to
		}{
			{1000, destination, 0, one, 1}, {1000, destination, 0, one, 1}, {400, destination, 0, one, 1},
			{400, destination, 0, one, 2}, // the run before ended with a shorter one
			{500, destination, 0, one, 3}, // larger than the run's
			{500, destination, 8, one, 4},
			{500, destination, 8, two, 5},
			{500, again, 8, two, 6},
			{500, again, 8, two, 6},
		} {
			put(t, o, d.to, d.size, 1, d.tos, d.owner)
			want = append(want, d.size)
			if len(o.runs) != d.run {
				t.Errorf("offload %v: datagram %d is in run %d, want %d", offload, len(want), len(o.runs), d.run)
			}
		}
		if err := o.Flush(); err != nil {
			t.Fatal(err)
		}
		got := receive(t, to.Inboxes()[0], len(want))
		if len(got) != len(want) {
			t.Fatalf("offload %v: %d datagrams, want %d", offload, len(got), len(want))
		}
		for i := range got {
			if got[i] != want[i] {
				t.Errorf("offload %v: sizes %v, want %v", offload, got, want)
				break
			}
		}
	}
}

// TestRoomIsBounded by the buffer, the runs and Max; Put never has to flush.
func TestRoomIsBounded(t *testing.T) {
	c := listen(t, Config{Offload: true})
	to := NewDestination(c.Addrs()[0], loopback)
	for _, test := range []struct {
		name      string
		max, size int
		tos       func(i int) uint8
		want      int
	}{
		{"Max", 10, 100, func(int) uint8 { return 0 }, 10},
		{"the buffer", 1 << 16, 1000, func(int) uint8 { return 0 }, BufferSize / 1000},
		{"the runs", 1 << 16, 100, func(i int) uint8 { return uint8(i%2) << 2 }, batchSize},
		{"nothing else", 1 << 16, 100, func(int) uint8 { return 0 }, BufferSize / 100},
	} {
		var events told
		config := events.config(true)
		config.Max = test.max
		o := c.NewOutbox(config)
		n := 0
		for ; o.Room(test.size) != nil; n++ {
			if free := o.Free(); free != test.max-n {
				t.Fatalf("%s: Free says %d after %d", test.name, free, n)
			}
			o.Put(test.size, to, test.tos(n), nil)
		}
		// A new run may be needed for any datagram, so the last one takes none.
		if n != test.want {
			t.Errorf("%s: room for %d datagrams, want %d", test.name, n, test.want)
		}
		if err := o.Flush(); err != nil || o.Room(test.size) == nil || o.Free() != test.max {
			t.Errorf("%s: %v, or no room after Flush", test.name, err)
		}
	}
}

// TestSegmentationThatDoesNotWorkIsGivenUp: the kernel offers UDP_SEGMENT, but
// refuses it for what a socket sends, as where a driver has no checksum offload.
// Nothing is lost, and it is tried once.
func TestSegmentationThatDoesNotWorkIsGivenUp(t *testing.T) {
	for _, test := range []struct {
		name   string
		refuse func(*testing.T, *Outbox)
	}{
		{"EINVAL", func(t *testing.T, o *Outbox) {
			var err error
			if cerr := o.conn.sockets.Load().v4[0].raw.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_NO_CHECK, 1) }); cerr != nil || err != nil {
				t.Fatal(cerr, err)
			}
		}},
		// What kernels before 6.11 say. This one may not, so the outbox is told.
		{"EIO", func(t *testing.T, o *Outbox) {
			call := o.callOnce
			o.callOnce = func(fd uintptr) {
				if m := o.messages[o.first]; m.end-m.start > o.runs[m.run].segment {
					o.errno = unix.EIO
					return
				}
				call(fd)
			}
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			const datagrams = 20
			from, to := listen(t, Config{Offload: true}), listen(t, Config{Offload: true})
			in := to.Inboxes()[0]
			var events told
			o := from.NewOutbox(events.config(true))
			test.refuse(t, o)
			if !from.Offloads().Segment {
				t.Fatal("UDP_SEGMENT is not offered")
			}
			for i := range 3 {
				destination := NewDestination(to.Addrs()[0], loopback)
				for range datagrams {
					put(t, o, destination, 1000, 1, 0, nil)
				}
				if err := o.Flush(); err != nil {
					t.Fatal(err)
				}
				receive(t, in, datagrams)
				if events.noSegmentations != 1 || from.Offloads().Segment {
					t.Fatalf("run %d: told %d times, still in use: %v", i, events.noSegmentations, from.Offloads().Segment)
				}
			}
			if events.refusals > 0 {
				t.Errorf("refused %v", events.refused)
			}
		})
	}
}

// TestRefusalsAreCheap: a run that is refused for good costs few system calls and
// few events, however many datagrams are in it.
func TestRefusalsAreCheap(t *testing.T) {
	const datagrams = 43
	for _, test := range []struct {
		name   string
		refuse func(*netlab.Interface)
		why    error // nil: nothing is refused
	}{
		{"nothing", func(*netlab.Interface) {}, nil},
		{"the link is too small", func(i *netlab.Interface) { i.SetMTU(1300) }, ErrTooBig},
		{"the link is down", (*netlab.Interface).Down, unix.ENETUNREACH},
	} {
		t.Run(test.name, func(t *testing.T) {
			lab := labtest.New(t)
			a, b := lab.Host("a"), lab.Host("b")
			link := lab.Connect(a, b, netlab.LinkConfig{AddrA: netlab.Prefixes("10.1.0.1/24"), AddrB: netlab.Prefixes("10.1.0.2/24")})
			var from *Conn
			if err := a.Do(func() (err error) {
				from, err = Listen(netip.IPv4Unspecified(), 0, Config{DontFragment: true, Offload: true})
				return err
			}); err != nil {
				t.Fatal(err)
			}
			defer from.Close()
			var events told
			o := from.NewOutbox(events.config(true))
			calls := 0
			call := o.callOnce
			o.callOnce = func(fd uintptr) { calls++; call(fd) }
			test.refuse(link.A)
			to := NewDestination(netip.AddrPortFrom(link.B.Addr4(), 4500), link.A.Addr4())
			for range datagrams {
				put(t, o, to, 1400, 1, 0, nil)
			}
			err := o.Flush()
			if !errors.Is(err, test.why) || test.why == nil && err != nil {
				t.Errorf("error %v, want %v", err, test.why)
			}
			want := datagrams
			if test.why == nil {
				want = 0
			}
			if events.refused[test.why] != want || len(events.refused) > 1 || events.refusals > 1 {
				t.Errorf("refused %v in %d calls, want %d for %v", events.refused, events.refusals, want, test.why)
			}
			if events.noSegmentations != 0 || !from.Offloads().Segment {
				t.Error("UDP_SEGMENT is not used any more")
			}
			if calls > 12 {
				t.Errorf("%d system calls for one run", calls)
			}
		})
	}
}

// TestNoSocketForTheFamily is a refusal like any other.
func TestNoSocketForTheFamily(t *testing.T) {
	c := listen(t, Config{})
	var events told
	o := c.NewOutbox(events.config(true))
	put(t, o, NewDestination(netip.MustParseAddrPort("[::1]:4500"), netip.Addr{}), 100, 1, 0, nil)
	put(t, o, NewDestination(c.Addrs()[0], netip.Addr{}), 100, 1, 0, nil)
	if err := o.Flush(); err != ErrNoSocket || events.refused[ErrNoSocket] != 1 || len(events.refused) != 1 {
		t.Errorf("error %v, refused %v", err, events.refused)
	}
	receive(t, c.Inboxes()[0], 1)
}

// TestTheOwnerIsToldWhatWasRefused: each owner is told of its own datagrams.
func TestTheOwnerIsToldWhatWasRefused(t *testing.T) {
	c := listen(t, Config{})
	one, two := new(int), new(int)
	lost := make(map[any]int)
	var events told
	config := events.config(true)
	config.Refused = func(owner any, datagrams, size int, _ error) {
		lost[owner] += datagrams
		if size != 100 {
			t.Errorf("told of %d bytes", size)
		}
	}
	o := c.NewOutbox(config)
	nowhere := NewDestination(netip.MustParseAddrPort("[::1]:4500"), netip.Addr{})
	for _, owner := range []any{one, two, two} {
		put(t, o, nowhere, 100, 1, 0, owner)
	}
	if err := o.Flush(); err == nil || lost[one] != 1 || lost[two] != 2 {
		t.Errorf("error %v, lost %v", err, lost)
	}
}
