package udp

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"fathom/test/netlab"
	"fathom/test/netlab/labtest"
)

// trials returns how often the kernel may have been asked for a size that it refuses, a
// while after the first time.
func trials(elapsed time.Duration) int {
	n := refusalsInARow
	for at := minRest; at < elapsed; at += min(restFactor*at, maxRest) {
		n++
	}
	return n
}

// refusing makes an outbox's kernel refuse datagrams above a limit. It returns how many
// system calls have ended so.
func refusing(o *Outbox, limit *int, errno unix.Errno) (calls *int) {
	calls = new(int)
	call := o.callOnce
	o.callOnce = func(fd uintptr) {
		all, passing := o.end, o.first
		for passing < all && o.size(passing) <= *limit {
			passing++
		}
		if o.end = passing; o.first < passing {
			call(fd)
		}
		if o.end = all; o.errno == 0 && o.first == passing && passing < all {
			o.errno = errno
			*calls++
		}
	}
	return calls
}

// TestARefusedSizeRests: a kernel that refuses what is larger than a limit is asked a few
// times. All that is smaller arrives, and what is larger as soon as it is taken.
func TestARefusedSizeRests(t *testing.T) {
	const flushes, large, small = 100, 32, 4
	for _, test := range []struct {
		errno unix.Errno
		why   []error
		calls int // that tell one refusal from others
	}{
		{unix.ENOBUFS, []error{ErrNoBuffers, ErrNotTried}, 1},
		{unix.EPERM, []error{unix.EPERM, ErrNotTried}, 1},
		{unix.EMSGSIZE, []error{ErrTooBig}, 6}, // two more for a run, and three for its first
	} {
		for _, offload := range []bool{true, false} {
			t.Run(fmt.Sprintf("%v, offload %v", unix.ErrnoName(test.errno), offload), func(t *testing.T) {
				from, far := listen(t, Config{Offload: offload}), listen(t, Config{Offload: offload})
				to := NewDestination(far.Addrs()[0], loopback)
				var events told
				o := from.NewOutbox(events.config(true))
				limit := 1252
				calls := refusing(o, &limit, test.errno)
				began := time.Now()
				for range flushes {
					refusedBurst(t, o, to, large, small)
					if got := len(receive(t, far.Inboxes()[0], small)); got != small {
						t.Fatalf("%d datagrams of %d arrive", got, small)
					}
				}
				if most := test.calls * trials(time.Since(began)); *calls > most {
					t.Errorf("%d system calls are refused, want at most %d", *calls, most)
				}
				sum := 0
				for _, why := range test.why {
					if events.refused[why] == 0 {
						t.Errorf("%v is not told", why)
					}
					sum += events.refused[why]
				}
				if sum != flushes*large {
					t.Errorf("refused %v, want %d in all", events.refused, flushes*large)
				}

				limit = 1500
				for deadline := time.Now().Add(20 * time.Second); ; {
					put(t, o, to, 1400, 1, 0, nil)
					if o.Flush() == nil {
						break
					}
					if time.Now().After(deadline) {
						t.Fatal("what the kernel takes is not tried")
					}
				}
				receive(t, far.Inboxes()[0], 1)
				for range large {
					put(t, o, to, 1400, 1, 0, nil)
				}
				must(t, o.Flush())
				receive(t, far.Inboxes()[0], large)
			})
		}
	}
}

// refusedBurst sends large datagrams, of which the kernel refuses some, and small ones.
func refusedBurst(t *testing.T, o *Outbox, to *Destination, large, small int) {
	t.Helper()
	for range large {
		put(t, o, to, 1400, 1, 0, nil)
	}
	for range small {
		put(t, o, to, 1200, 2, 8, nil) // of another class, so not the last of the run
	}
	if err := o.Flush(); err == nil {
		t.Fatal("nothing is refused")
	}
}

// TestAFarEndThatTakesLess than the interface says: this kernel refuses what is larger. (It
// says nothing where it has cut a run by itself.)
func TestAFarEndThatTakesLess(t *testing.T) {
	const flushes, large, small = 100, 32, 4
	lab := labtest.New(t)
	a, b := lab.Host("a"), lab.Host("b")
	link := lab.Connect(a, b, netlab.LinkConfig{AddrA: netlab.Prefixes("10.1.0.1/24"), AddrB: netlab.Prefixes("10.1.0.2/24")})
	must(t, a.Do(func() error { meet(t, link.B.Addr4()); return nil }))
	from := listenAt(t, a, netip.IPv4Unspecified(), Config{DontFragment: true})
	far := listenAt(t, b, netip.IPv4Unspecified(), Config{})
	to := NewDestination(netip.AddrPortFrom(link.B.Addr4(), far.Addrs()[0].Port()), link.A.Addr4())
	link.B.SetMTU(1280)
	var events told
	o := from.NewOutbox(events.config(true))
	call, refused := o.callOnce, 0
	o.callOnce = func(fd uintptr) {
		if call(fd); o.errno == unix.ENOBUFS {
			refused++
		}
	}
	began := time.Now()
	for range flushes {
		refusedBurst(t, o, to, large, small)
		for i, size := range receive(t, far.Inboxes()[0], small) {
			if size != 1200 || i >= small {
				t.Fatalf("datagram %d has %d bytes", i, size)
			}
		}
	}
	if most := trials(time.Since(began)); refused > most {
		t.Errorf("%d system calls are refused, want at most %d", refused, most)
	}
	if sum := events.refused[ErrNoBuffers] + events.refused[ErrNotTried]; sum != flushes*large || events.refused[ErrNotTried] == 0 {
		t.Errorf("refused %v, want %d in all", events.refused, flushes*large)
	}
	t.Logf("%d system calls are refused in %v", refused, time.Since(began))
}

// TestARestDoesNotAllocate, however much is lost by it.
func TestARestDoesNotAllocate(t *testing.T) {
	c := listen(t, Config{})
	to := NewDestination(c.Addrs()[0], loopback)
	config := new(told).config(true)
	lost := 0
	config.Refused = func(_ any, datagrams, _ int, _ error) { lost += datagrams }
	o := c.NewOutbox(config)
	limit := 100
	refusing(o, &limit, unix.ENOBUFS)
	datagram := make([]byte, 1200)
	if n := testing.AllocsPerRun(1000, func() {
		for range 20 {
			o.Put(len(append(o.Room(len(datagram)), datagram...)), to, 0, nil)
		}
		if o.Flush() == nil {
			t.Error("nothing is refused")
		}
	}); n > 0 {
		t.Errorf("%v allocations a run, of %d datagrams that are lost", n, lost)
	}
}
