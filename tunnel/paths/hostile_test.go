package paths

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"fathom/test/tier"
)

// quiet says that nobody has moved since the start.
func (w *world) quiet() {
	for _, e := range w.ends {
		if len(e.moves) > 1 {
			w.fail("end %d moves", e.id)
		}
	}
}

// TestCopiesMoveNobody: somebody copies authentic packets, and lets the copies
// overtake the originals by 5 ms, which are replays then. Or he is a relay: what
// is sent to the forged source arrives.
func TestCopiesMoveNobody(t *testing.T) {
	tier.Select(t, tier.Quick, tier.Long, tier.Native)
	for _, h := range append(houses, house{"one path", func(w *world, e *end) *uplink {
		u := w.uplink(e, 1, false, w.rng.IntN(2) == 0, leg)
		w.uplink(e.peer, 1, false, false, leg)
		return u
	}}) {
		for _, relays := range []bool{false, true} {
			name := fmt.Sprintf("%s/relays=%v", h.name, relays)
			t.Run(strings.ReplaceAll(name, " ", "_"), func(t *testing.T) {
				toward, tempted := 0, 0 // ends whose packets were copied, that challenged a forged source
				simulate(t, 40, 300, func(w *world) {
					e := w.ends[w.rng.IntN(2)]
					u := h.build(w, e)
					e.know()
					if w.rng.IntN(2) == 0 {
						e.peer.know()
					}
					w.decide(w.rng.IntN(2) == 0)
					w.join(u, e.peer.uplinks[0])
					for _, e := range w.ends {
						e.flow(time.Duration(1+w.rng.IntN(40)) * time.Millisecond)
						e.thin = w.rng.IntN(2) == 0
					}
					w.run(time.Duration(w.rng.Int64N(int64(3*time.Second))), nil)
					f := w.forge(5 * time.Millisecond)
					f.relays = relays
					w.run(5*time.Second, nil)
					w.quiet()
					for _, e := range w.ends {
						if f.toward[e.id] {
							toward++
							if slices.ContainsFunc(f.sources, func(z netip.AddrPort) bool { return !e.strange[z].IsZero() }) {
								tempted++
							}
						}
					}
				})
				// An end need not be where all copies come while a contest may not
				// begin, but hardly ever for so long.
				if 10*tempted < 9*toward {
					t.Errorf("%d of %d ends have challenged a forged source", tempted, toward)
				}
			})
		}
	}
}

// TestSharedPacketsMoveNobody: two NATs share the packets of an end, so that its
// source alternates. Both places work.
func TestSharedPacketsMoveNobody(t *testing.T) {
	tier.Select(t, tier.Quick, tier.Long, tier.Native)
	simulate(t, 100, 1000, func(w *world) {
		e := w.ends[w.rng.IntN(2)]
		u := w.uplink(e, 1, false, true, leg)
		if w.rng.IntN(2) == 0 {
			w.uplink(e, 2, false, true, leg)
		}
		w.uplink(e.peer, 1, false, false, leg)
		w.rebind(u, 2+w.rng.IntN(3))
		e.know()
		w.decide(w.rng.IntN(2) == 0)
		w.join(u, e.peer.uplinks[0])
		w.jitter, w.lateness = 0.3, leg
		for _, e := range w.ends {
			e.flow(time.Duration(1+w.rng.IntN(40)) * time.Millisecond)
			e.thin = w.rng.IntN(2) == 0
		}
		w.run(20*time.Second, nil)
		w.quiet()
	})
}

// TestEndlessPlaces: an authentic peer names place after place. That costs a
// bounded number of challenges, and a bounded memory, and moves nobody.
func TestEndlessPlaces(t *testing.T) {
	s, home := single(t)
	now := epoch
	var sent []time.Time
	for i := range 20_000 {
		now = now.Add(time.Millisecond)
		place := Pair{1, home.Local, addrPort("198.51.100.66", uint16(i))}
		s.Arrived(place, 1500, true, now)
		s.Challenge(place, Challenge{Token: uint64(i) + 1, Generation: uint32(i), Use: i%2 == 0, Stalled: i%3 == 0}, now)
		s.Response(uint64(i), uint32(i), now)
		for _, a := range s.Look(nil, Traffic{Heard: uint64(i)}, now) {
			if a.Kind == SendResponse {
				continue
			}
			if a.Pair == home { // the peer is there
				s.Response(a.Token, a.Generation, now)
				continue
			}
			sent = append(sent, now)
			if n := len(sent); n > 20 && now.Sub(sent[n-21]) <= time.Second {
				t.Fatalf("%d challenges to strangers in %v", n, now.Sub(sent[n-21]))
			}
		}
		if n := len(s.paths); n > maxPaths {
			t.Fatalf("%d paths", n)
		}
	}
	if by, _ := s.Current(); by != home {
		t.Errorf("moved to %v", by)
	}
	if n := len(sent); n < 100 || n > 220 {
		t.Errorf("%d challenges to strangers in 20 s", n)
	}
}

// single returns a set with one pair, which is proved.
func single(t *testing.T) (*Set, Pair) {
	t.Helper()
	token := uint64(0)
	s := New(Config{Random: func() uint64 { token++; return token<<32 | 0xabcd }})
	home := Pair{1, addr("10.0.0.1"), addrPort("192.0.2.1", 4500)}
	s.Candidates([]Candidate{{Pair: home}}, epoch)
	s.Established(home, roundTrip, epoch)
	if by, ok := s.Current(); !ok || by != home {
		t.Fatalf("the pair in use is %v", by)
	}
	return s, home
}

// TestStrangersGetLittle: an end that has no proved pair sends data to where the
// peer seems to be, up to three times what came from there.
func TestStrangersGetLittle(t *testing.T) {
	s := New(Config{Random: func() uint64 { return 7 }})
	place := Pair{1, addr("10.0.0.1"), addrPort("198.51.100.66", 1)}
	s.Arrived(place, 500, true, epoch)
	if by, _ := s.Current(); by != place || !s.Limited() {
		t.Fatalf("the pair in use is %v, limited: %v", by, s.Limited())
	}
	went := len(s.Look(nil, Traffic{}, epoch)) * messageSize
	if went != messageSize {
		t.Errorf("%d bytes of challenges", went)
	}
	went += s.Grant()
	if again := s.Grant(); again > 0 {
		t.Errorf("%d bytes are granted twice", again)
	}
	if went += messageSize; went != 1500 { // the next challenge
		t.Errorf("%d bytes for 500", went)
	}
	s.Arrived(place, 100, false, epoch)
	if more := s.Grant(); more != 300 {
		t.Errorf("%d bytes for 100 more", more)
	}
	s.Response(7, 0, epoch.Add(roundTrip))
	if s.Limited() || s.Grant() != 0 {
		t.Error("a proved place is limited")
	}
}

// TestQuietPeerIsRenumbered: an end that sends nothing gets another address. The
// other end knows two and a half round trips later, and nothing is sent any more
// then.
func TestQuietPeerIsRenumbered(t *testing.T) {
	tier.Select(t, tier.Quick, tier.Long, tier.Native)
	simulate(t, 50, 1000, func(w *world) {
		e := w.ends[w.rng.IntN(2)]
		u := w.uplink(e, 1, w.rng.IntN(2) == 0, false, leg)
		w.uplink(e.peer, 1, u.family() == 1, false, leg)
		e.know()
		if w.rng.IntN(2) == 0 {
			e.peer.know()
		}
		w.decide(w.rng.IntN(2) == 0)
		w.join(u, e.peer.uplinks[0])
		w.run(time.Duration(w.rng.Int64N(int64(time.Hour))), nil)
		if w.packets > 0 {
			w.fail("%d packets while nothing happened", w.packets)
		}
		e.renumber(u, false)
		if !w.run(5*roundTrip/2, func() bool { return w.settled() && w.reaches(e.peer, e.peer.using) == u }) {
			w.fail("the peer is not followed: %v", e.peer.set.Status(w.now))
		}
		w.run(2*time.Minute, nil)
		n := w.packets
		w.run(time.Hour, nil)
		if n > 40 || w.packets > n {
			w.fail("%d packets, then %d more", n, w.packets-n)
		}
	})
}

// TestOnePathCostsNothing: with one pair nothing is sent and nothing is timed,
// whatever the traffic does.
func TestOnePathCostsNothing(t *testing.T) {
	s, home := single(t)
	s.Decides(true, true, true)
	now := epoch
	var traffic Traffic
	for i := range 100_000 {
		now = now.Add(5 * time.Millisecond)
		if i/1000%3 > 0 {
			traffic.Sent += uint64(i % 3)
		}
		if i/1000%5 == 0 {
			traffic.Received++
			traffic.Heard++
		}
		if i/1000%7 == 0 {
			traffic.Unanswered, traffic.Asked = 5, now.Add(-time.Second)
			traffic.SRTT, traffic.RTTVAR = roundTrip, leg
		}
		if i%1000 == 0 {
			s.Arrived(home, 100, true, now)
			s.Established(home, roundTrip, now)
			s.Arrived(Pair{9, home.Local, home.Remote}, 100, true, now) // an asymmetric route
		}
		if a := s.Look(nil, traffic, now); len(a) > 0 {
			t.Fatalf("after %v: %v", now.Sub(epoch), a)
		}
		if at := s.Deadline(); !at.IsZero() {
			t.Fatalf("after %v: a deadline in %v", now.Sub(epoch), at.Sub(now))
		}
	}
	if len(s.paths) != 1 || len(s.History()) != 1 {
		t.Errorf("%v, %v", s.Status(now), s.History())
	}
}

// TestNothingDueAllocatesNothing: Look and Deadline are called for every packet
// event.
func TestNothingDueAllocatesNothing(t *testing.T) {
	tier.Select(t, tier.Quick, tier.Measures, tier.Native)
	s, home := single(t)
	others := []Candidate{{Pair: home}}
	for i := range 10 {
		others = append(others, Candidate{Pair{2 + i, addr("10.0.0.2"), home.Remote}, Cost{i, 0}})
	}
	s.Candidates(others, epoch)
	actions := s.Look(make([]Action, 0, 32), Traffic{}, epoch)
	for _, a := range slices.Clone(actions) {
		s.Response(a.Token, 0, epoch.Add(roundTrip))
	}
	now := epoch.Add(roundTrip)
	var traffic Traffic
	if n := testing.AllocsPerRun(1000, func() {
		now = now.Add(time.Millisecond)
		traffic.Sent++
		traffic.Heard++
		s.Arrived(home, 100, true, now)
		actions = s.Look(actions[:0], traffic, now)
		if len(actions) > 0 || s.Deadline().IsZero() {
			t.Fatal("not what is measured here")
		}
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
