package tunnel

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"fathom/test/clock"
	"fathom/tunnel/control"
	"fathom/tunnel/status"
)

// TestAPeerTellsHowItIsSetUp: an end that asks learns what the other has set, what it sees
// and what its clock shows, in one round trip.
func TestAPeerTellsHowItIsSetUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		left, right := narrowPath(t)
		far := netip.MustParsePrefix("10.77.0.2/24")
		right.do(func(time.Time) { right.inner = []netip.Prefix{far} })
		began := time.Now()
		r, err := left.facts(context.Background(), left.peer.name)
		if err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took != 2*left.wire.trip {
			t.Errorf("it took %v", took)
		}
		want := &status.FactsReport{Peer: left.peer.name, Clock: began.Add(left.wire.trip).Truncate(time.Millisecond), Asked: began, Answered: began.Add(2 * left.wire.trip),
			SeenAt: left.at, Settled: true, Addresses: []netip.Prefix{far}}
		right.do(func(time.Time) {
			want.PLPMTU, want.AllowedIPs = right.peer.discovery.PLPMTU(), right.peer.allowed
		})
		if diff := cmp.Diff(want, r, cmpopts.EquateComparable(netip.Prefix{}, netip.AddrPort{}), cmpopts.EquateEmpty()); diff != "" {
			t.Error(diff)
		}
	})
}

// TestFactsHaveTheClockOfThePeer, however far it is off.
func TestFactsHaveTheClockOfThePeer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		left, right := narrowPath(t)
		var token uint64
		left.do(func(now time.Time) {
			if err := left.peer.requestFacts(&factsWait{func(*status.FactsReport, error) {}}, now); err != nil {
				t.Error(err)
			}
			token = left.peer.farFacts.token
			left.peer.farFacts.next = time.Time{} // the question is asked below, by a wrong clock
		})
		answered := make(chan *status.FactsReport, 1)
		left.do(func(time.Time) {
			left.peer.farFacts.waiting[0].told = func(r *status.FactsReport, _ error) { answered <- r }
		})
		var shown time.Time
		right.do(func(now time.Time) {
			shown = clock.Set(now, time.Hour)
			right.serveFacts(right.peer, token, shown)
		})
		if r := <-answered; !r.Clock.Equal(shown.Round(0).Truncate(time.Millisecond)) {
			t.Errorf("the clock is %v, want %v", r.Clock, shown)
		}
	})
}

// TestAPeerThatTellsNothing: the question ends with a reason, and leaves nothing behind.
func TestAPeerThatTellsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		left, right := narrowPath(t)
		for _, test := range []struct {
			name  string
			setup func()
			peer  string
			want  error
			after time.Duration
		}{
			{"unknown", func() {}, "nobody", status.ErrNoPeer, 0},
			{"silent", func() { right.do(func(time.Time) { right.mute.Store(true) }) }, left.peer.name, status.ErrNoAnswer, askFactsFor},
			{"an older version", func() {
				left.do(func(time.Time) { left.peer.sas.current.features &^= featureFacts })
			}, left.peer.name, errNoFacts, 0},
		} {
			test.setup()
			began := time.Now()
			if _, err := left.facts(context.Background(), test.peer); !errors.Is(err, test.want) {
				t.Errorf("%s: %v", test.name, err)
			}
			if took := time.Since(began); took != test.after {
				t.Errorf("%s: after %v", test.name, took)
			}
			left.do(func(time.Time) {
				if f := &left.peer.farFacts; f.token != 0 || len(f.waiting) > 0 {
					t.Errorf("%s: it is left: %+v", test.name, f)
				}
			})
		}
	})
}

// TestFactsAreToldSlowly: however often a peer asks, it is answered at the rate of the limit.
func TestFactsAreToldSlowly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, right := narrowPath(t)
		sent := func() (n uint64) {
			right.do(func(time.Time) { n = right.peer.sent.Load() })
			return n
		}
		before := sent()
		right.do(func(now time.Time) {
			for i := range 1000 {
				right.serveFacts(right.peer, uint64(i+1), now)
			}
		})
		if n := sent() - before; n != factsServedBurst {
			t.Errorf("%d answers to a thousand questions at once, want %d", n, factsServedBurst)
		}
	})
}

// TestFactsOfManyPrefixes: all of them arrive, up to the bound, and what is left out is
// told of.
func TestFactsOfManyPrefixes(t *testing.T) {
	for _, n := range []int{0, 1, control.PrefixesAPart, control.PrefixesAPart + 1, control.PrefixesAPart * control.MaxFactsParts, control.PrefixesAPart*control.MaxFactsParts + 1} {
		f := control.Facts{Token: 5, Clock: time.UnixMilli(0)}
		for i := range n {
			p := netip.MustParsePrefix(fmt.Sprintf("10.%d.%d.0/24", i/256, i%256))
			if i%3 == 0 {
				f.Addresses = append(f.Addresses, p)
			} else {
				f.Allowed = append(f.Allowed, p)
			}
		}
		var far farFacts
		far.token = 5
		var got *status.FactsReport
		far.waiting = []*factsWait{{func(r *status.FactsReport, _ error) { got = r }}}
		for _, part := range factsParts(f) {
			elements, err := control.Parse(nil, control.AppendFactsReport(nil, &part))
			if err != nil {
				t.Fatal(err)
			}
			far.report(elements[0], time.Time{})
		}
		if got == nil {
			t.Errorf("%d prefixes: no report", n)
			continue
		}
		most := control.PrefixesAPart * control.MaxFactsParts
		if all := len(got.Addresses) + len(got.AllowedIPs); all != min(n, most) || got.Truncated != (n > most) {
			t.Errorf("%d prefixes: %d arrive, truncated %v", n, all, got.Truncated)
		}
	}
}
