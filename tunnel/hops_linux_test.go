package tunnel

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"fathom/conf"
	"fathom/pmtud"
	"fathom/tunnel/control"
	"fathom/tunnel/hops"
	"fathom/tunnel/status"
	"fathom/tunnel/udp"
)

// narrowPath makes two ends with three routers between them, whose paths are known. What is
// longer than 1400 bytes vanishes behind the second, in either direction: probes alone
// meet these routers.
func narrowPath(t *testing.T) (left, right *virtual) {
	t.Helper()
	left, right = newDiscoveringPair(t, conf.Tunnel{})
	left.wire.routers = []virtualRouter{
		{netip.MustParseAddr("198.51.100.1"), 1500},
		{netip.MustParseAddr("198.51.100.2"), 1400},
		{netip.MustParseAddr("198.51.100.3"), 1500},
	}
	right.start(t)
	left.start(t)
	for _, v := range []*virtual{left, right} {
		until(t, time.Minute, func() (settled bool) {
			v.do(func(time.Time) { settled = v.peer.probes() && v.peer.discovery.Settled() })
			return settled
		})
	}
	return left, right
}

// narrow checks that a report has the one place.
func narrow(t *testing.T, w *status.HopsWay, after, before int) {
	t.Helper()
	if w == nil || !w.Reached || !w.Complete || len(w.Hops) != 5 || len(w.Places) != 1 {
		t.Fatalf("%+v", w)
	}
	if p := w.Places[0]; p.After != after || p.Before == nil || *p.Before != before || p.Passes != 1400 || p.Fails != 1404 {
		t.Errorf("%+v", p)
	}
}

// TestHopsInBothDirections: each end measures its own, and one shows both.
func TestHopsInBothDirections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		left, right := narrowPath(t)
		began := time.Now()
		r, err := left.hops(context.Background(), left.peer.name)
		if err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took > 3*time.Second {
			t.Errorf("%v", took)
		}
		narrow(t, r.Forth, 2, 3)
		narrow(t, r.Back, 2, 3) // the same router, which refuses both ways
		if h := r.Back.Hops; h[0].Address != "192.0.2.2" || h[1].Address != "198.51.100.3" || h[4].Address != "192.0.2.1" || !h[4].Peer {
			t.Errorf("%+v", h)
		}
		if rtt := r.Forth.Hops[4].RTTMillis; rtt == nil || *rtt != millis(2*left.wire.trip) {
			t.Errorf("%v", rtt)
		}

		// The status has the last one, with its age, and the end that was asked keeps none.
		time.Sleep(time.Hour)
		kept := func(v *virtual) (h *status.MeasuredHops) {
			v.do(func(now time.Time) { h = v.peer.status(now).Hops })
			return h
		}
		h := kept(left)
		if h == nil {
			t.Fatal("the measurement is not kept")
		}
		narrow(t, h.Forth, 2, 3)
		narrow(t, h.Back, 2, 3)
		if age := time.Since(h.Forth.At); age < time.Hour || age > time.Hour+3*time.Second || h.Back.At.Before(h.Forth.At) {
			t.Errorf("at %v and %v", h.Forth.At, h.Back.At)
		}
		if h := kept(right); h != nil {
			t.Errorf("%+v", h)
		}
		right.mute.Store(true)
		if _, err := left.hops(context.Background(), left.peer.name); err != nil {
			t.Fatal(err)
		}
		if h := kept(left); h.Forth.Reached || h.Back != nil || h.BackProblem == "" {
			t.Errorf("%+v", h)
		}
	})
}

// TestHopsDisturbNoDiscovery: what vanishes on purpose is nobody's loss.
func TestHopsDisturbNoDiscovery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		left, right := narrowPath(t)
		look := func(v *virtual) (s status.PMTUD) {
			v.do(func(now time.Time) { s = v.peer.discoveryStatus(now) })
			s.Counts = status.PMTUDCounts{} // it goes on probing as it did
			return s
		}
		before := [2]status.PMTUD{look(left), look(right)}
		for range 3 {
			if _, err := left.hops(context.Background(), left.peer.name); err != nil {
				t.Fatal(err)
			}
		}
		for i, v := range []*virtual{left, right} {
			if diff := cmp.Diff(before[i], look(v)); diff != "" {
				t.Error(diff)
			}
		}
	})
}

// TestOneMeasurementOfHopsAtATime: those who ask meanwhile share it, and it ends when the
// last of them leaves.
func TestOneMeasurementOfHopsAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		left, _ := narrowPath(t)
		type result struct {
			*status.HopsReport
			error
		}
		results := make(chan result, 2)
		enough := errors.New("enough")
		ctx, cancel := context.WithCancelCause(context.Background())
		for range 2 {
			go func() { r, err := left.hops(ctx, left.peer.name); results <- result{r, err} }()
		}
		for range 2 {
			if r := <-results; r.error != nil || r.Forth == nil || r.Back == nil {
				t.Errorf("%+v", r)
			}
		}
		var runs uint64
		left.do(func(time.Time) { runs = left.peer.hopRuns })
		if runs != 1 {
			t.Errorf("%d measurements", runs)
		}
		for range 2 {
			go func() { r, err := left.hops(ctx, left.peer.name); results <- result{r, err} }()
		}
		synctest.Wait()
		under := func() (way bool) {
			left.do(func(time.Time) { way = left.peer.hopRun != nil || left.peer.farHops.token != 0 })
			return way
		}
		if !under() {
			t.Fatal("no measurement is under way")
		}
		cancel(enough)
		for range 2 {
			if r := <-results; !errors.Is(r.error, enough) {
				t.Errorf("%+v", r)
			}
		}
		synctest.Wait()
		if under() || left.peer.trap.set.Load() {
			t.Error("the measurement goes on")
		}
	})
}

// TestAPeerThatDoesNotKnowHops is not asked, and the own direction is measured.
func TestAPeerThatDoesNotKnowHops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		left, _ := narrowPath(t)
		left.do(func(time.Time) { left.peer.sas.current.features &^= featureHops })
		r, err := left.hops(context.Background(), left.peer.name)
		if err != nil {
			t.Fatal(err)
		}
		narrow(t, r.Forth, 2, 3)
		if r.Back != nil || !strings.Contains(r.BackProblem, "version") {
			t.Errorf("%+v, %q", r.Back, r.BackProblem)
		}
	})
}

// TestAPeerThatKeepsAskingForHops is served once an interval, and has its answer all the
// same when it asks again.
func TestAPeerThatKeepsAskingForHops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		left, right := narrowPath(t)
		var before uint64
		right.do(func(time.Time) { before = right.peer.hopRuns })
		const asked = 20
		began := time.Now()
		for i := range asked {
			left.do(func(time.Time) {
				_ = left.messenger.control(left.peer, control.AppendToken(nil, control.HopsRequest, uint64(i+1)), 0)
			})
			time.Sleep(200 * time.Millisecond)
		}
		var runs uint64
		right.do(func(time.Time) { runs = right.peer.hopRuns - before })
		if most := uint64(hopServiceBurst + time.Since(began)/hopServiceEvery); runs == 0 || runs > most {
			t.Errorf("%d measurements in %v", runs, time.Since(began))
		}
		r, err := left.hops(context.Background(), left.peer.name)
		if err != nil || r.Back == nil {
			t.Fatalf("%+v, %v", r, err)
		}
		narrow(t, r.Back, 2, 3)
	})
}

// TestHopsOfAPeerThatDoesNotAnswer: a peer that is gone, and one whose answers are lost.
func TestHopsOfAPeerThatDoesNotAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		left, right := narrowPath(t)
		right.mute.Store(true)
		r, err := left.hops(context.Background(), left.peer.name)
		if err != nil {
			t.Fatal(err)
		}
		if r.Forth == nil || r.Forth.Reached || len(r.Forth.Hops) != 4 || r.Back != nil || !strings.Contains(r.BackProblem, "not answered") {
			t.Errorf("%+v, %q", r.Forth, r.BackProblem)
		}
		if _, err := left.hops(context.Background(), "nobody"); !errors.Is(err, status.ErrNoPeer) {
			t.Errorf("error %v", err)
		}
	})
}

// TestReloadsWhileHopsAreAsked: a peer comes and goes while others ask for its hops and its
// history. Who waits when it goes hears of that at once.
func TestReloadsWhileHopsAreAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		left, _ := narrowPath(t)
		name, peers := left.peer.name, left.config.Peers
		ctx, stop := context.WithCancel(context.Background())
		measured, gone, ended := 0, 0, 0
		var asking sync.WaitGroup
		asking.Go(func() {
			for ctx.Err() == nil {
				_, err := left.hops(ctx, name)
				switch {
				case err == nil:
					measured++
				case errors.Is(err, status.ErrNoPeer):
					gone++
				case errors.Is(err, errHopsEnded):
					ended++
				}
				time.Sleep(time.Millisecond)
			}
		})
		asking.Go(func() {
			for ctx.Err() == nil {
				if _, err := left.controller.history(ctx, status.HistoryQuery{Peer: name}); err != nil && !errors.Is(err, status.ErrNoPeer) && ctx.Err() == nil {
					t.Error(err)
				}
				time.Sleep(time.Millisecond)
			}
		})
		under := func() (way bool) {
			left.do(func(time.Time) {
				for _, p := range left.peers {
					way = way || p.hopRun != nil && p.farHops.token != 0
				}
			})
			return way
		}
		for range 5 {
			until(t, time.Minute, under)
			if err := left.reloads(t, func(c *conf.Config) { c.Peers = nil }); err != nil {
				t.Fatal(err)
			}
			time.Sleep(10 * time.Millisecond)
			if err := left.reloads(t, func(c *conf.Config) { c.Peers = peers }); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(10 * time.Second)
		stop()
		asking.Wait()
		if ended != 5 || gone == 0 || measured == 0 {
			t.Errorf("measured %d times, and asked in vain %d times; it went while asked %d times", measured, gone, ended)
		}
	})
}

// TestForeignAnswersAboutHops: other tokens, parts and messages change nothing.
func TestForeignAnswersAboutHops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		left, right := narrowPath(t)
		done := make(chan *status.HopsReport, 1)
		go func() {
			r, err := left.hops(context.Background(), left.peer.name)
			if err != nil {
				t.Error(err)
			}
			done <- r
		}()
		synctest.Wait()
		for i := range 1000 {
			spi := right.peer.sas.current.inbound.spi
			left.events.icmp(udp.ICMP{Kind: udp.ICMPKind(i % 4), By: netip.MustParseAddr("203.0.113.9"), To: right.at,
				Quote: []byte{byte(spi >> 24), byte(spi >> 16), byte(spi >> 8), byte(spi), 0xff, 0xff, byte(i >> 8), byte(i)}})
		}
		right.do(func(time.Time) {
			for _, r := range []control.HopsResult{
				{Token: 1, State: control.HopsDone, Parts: 1, Hops: []control.Hop{{Size: 9}}},
				{Token: 1, State: control.HopsRefused},
			} {
				_ = right.messenger.control(right.peer, control.AppendHopsReport(nil, &r), 0)
			}
		})
		r := <-done
		narrow(t, r.Forth, 2, 3)
		narrow(t, r.Back, 2, 3)
	})
}

// TestHopReportsSurviveTheWire, in as many parts as they need.
func TestHopReportsSurviveTheWire(t *testing.T) {
	for _, count := range []int{1, control.HopsAPart, control.HopsAPart + 1, hops.MaxHops + 2} {
		want := &hops.Report{Reached: true, ClearsDF: true, Fans: 7, Probes: 300, Took: 2 * time.Second}
		for i := range count {
			want.Hops = append(want.Hops, hops.Hop{Addr: netip.AddrFrom4([4]byte{10, 0, 0, byte(i)}), RoundTrip: time.Millisecond, Size: 1500 - i, Fails: 1600, Tells: true, Told: i})
		}
		var parts []*control.HopsResult
		for _, part := range hopParts(3, want) {
			elements, err := control.Parse(nil, control.AppendHopsReport(nil, &part))
			if err != nil {
				t.Fatal(err)
			}
			got, err := elements[0].Hops()
			if err != nil || got.Parts > control.MaxHopsParts {
				t.Fatalf("%+v, %v", got, err)
			}
			parts = append(parts, &got)
		}
		if diff := cmp.Diff(want, joinHops(parts), cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
			t.Errorf("%d hops: %s", count, diff)
		}
	}
}

// TestHopProbesHaveTokensOfTheirOwn, whatever a discovery and a `fathom probe` may have.
func TestHopProbesHaveTokensOfTheirOwn(t *testing.T) {
	for _, other := range []uint64{maxPathNumber << pmtud.IDBits, probeRunToken, probeRunToken | (maxPathNumber-1)<<pmtud.IDBits} {
		if other&tokenMask == hopToken&tokenMask {
			t.Errorf("%x and %x", other, uint64(hopToken))
		}
	}
	r := &hopRun{Measurement: hops.New(hops.Config{Small: 100, Top: 1500, Step: 4}, time.Time{}), token: hopToken | 3<<hopRunShift}
	fan := r.Poll(nil, time.Time{})
	for _, token := range []uint64{hopToken | 2<<hopRunShift, probeRunToken, 3 << hopRunShift, 0, ^uint64(0)} {
		r.ack(token, false, time.Time{})
	}
	if r.Report().Reached {
		t.Error("the ack of another probe counts")
	}
	r.ack(r.token|uint64(len(fan)-1), false, time.Time{})
	if !r.Report().Reached {
		t.Error("the ack of a probe does not count")
	}
}

// TestHopProbesAreJudgedByNobody: a discovery is not to count one that has ended on the
// way as lost. Without a bound on its hops it arrives as any probe does.
func TestHopProbesAreJudgedByNobody(t *testing.T) {
	d := newDatapath(t, true, conf.Tunnel{}, 1500, 1500)
	s, to := newSender(controllerPlace, d.from, nothingHappens{}), d.peer.session.Load()
	numbered := *to.path
	numbered.number = 7
	to = &session{peer: to.peer, sa: to.sa, path: &numbered}
	message := control.AppendToken(nil, control.Probe, 1)
	if err := s.probe(to, message, 1000, variant{}); err != nil {
		t.Fatal(err)
	}
	if size, path := to.sa.sizes.Sent(to.sa.Packets()); size != 1000 || path != 7 {
		t.Errorf("a probe of a discovery: %d bytes by path %d", size, path)
	}
	for _, limit := range []uint8{0, 1} {
		seq, err := s.hop(to, message, 1000, limit, variant{tos: 0x20})
		if err != nil || seq != to.sa.Packets() {
			t.Fatalf("number %d of %d, %v", seq, to.sa.Packets(), err)
		}
		if size, path := to.sa.sizes.Sent(seq); size != 1000 || path != 0 {
			t.Errorf("%d bytes by path %d", size, path)
		}
	}
	if err := s.flush(); err != nil {
		t.Fatal(err)
	}
	stop := d.receiving()
	defer stop()
	near := d.receiver.routes.lookup(netip.MustParseAddr(leftIP))
	eventually(t, "three probes to arrive", hanging, func() bool { return near.authentic.Load() == 3 })
	if dropped := near.drops.snapshot(); len(dropped) > 0 {
		t.Errorf("dropped %v", dropped)
	}
}
