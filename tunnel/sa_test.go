package tunnel

import (
	"testing"
	"time"

	"fathom/crypto"
	"fathom/esp"
)

func newTestPair(established time.Time) *saPair {
	return &saPair{inbound: new(inboundSA), established: established}
}

func TestRekeyAt(t *testing.T) {
	start := time.Unix(1000, 0)
	l := crypto.Lifetime{RekeyAge: 2 * time.Minute, RekeyPackets: 3}
	for _, test := range []struct {
		name      string
		initiator bool
		packets   int
		age       time.Duration
	}{
		{"the initiator comes first", true, 0, l.RekeyAge},
		{"the responder gives it an eighth more", false, 0, l.RekeyAge * 9 / 8},
		{"one packet less than it may send", true, 2, l.RekeyAge},
		{"all the packets that it may send", true, 3, rekeyPause},
		{"more", true, 4, rekeyPause},
		{"more, at the responder", false, 4, rekeyPause + l.RekeyAge/8},
	} {
		t.Run(test.name, func(t *testing.T) {
			out, err := esp.NewOutbound(esp.MinSPI, esp.AES256GCM, make([]byte, esp.KeyMaterialSize))
			if err != nil {
				t.Fatal(err)
			}
			var scratch esp.Scratch
			for range test.packets {
				if _, _, err := out.Seal(&scratch, nil, nil, esp.NextHeaderDummy); err != nil {
					t.Fatal(err)
				}
			}
			pair := &saPair{outbound: &outboundSA{Outbound: out}, initiator: test.initiator, established: start}
			if got := pair.rekeyAt(l).Sub(start); got != test.age {
				t.Errorf("after %v, want %v", got, test.age)
			}
		})
	}
}

func TestSASetMakesBeforeBreak(t *testing.T) {
	const maxAge = time.Hour
	start := time.Unix(1000, 0)
	after := func(d time.Duration) time.Time { return start.Add(d) }

	t.Run("the initiator sends on the new pair at once and still receives on the old", func(t *testing.T) {
		var s saSet
		old, renewed := newTestPair(start), newTestPair(start)
		s.initiated(old, after(maxAge))
		s.initiated(renewed, after(maxAge))
		if s.current != renewed {
			t.Error("the new pair is not current")
		}
		if gone := s.expire(after(maxAge-1), maxAge); len(gone) != 0 || s.find(old.inbound) != old {
			t.Error("the old pair ended before the peer used the new one")
		}
	})
	t.Run("the old pair ends a grace after the peer used the new one", func(t *testing.T) {
		var s saSet
		old, renewed := newTestPair(start), newTestPair(start)
		s.initiated(old, after(maxAge))
		s.initiated(renewed, after(maxAge))
		if s.used(renewed, after(time.Second)) {
			t.Error("using the current pair is reported as a switch")
		}
		end := after(time.Second + retireGrace)
		if gone := s.expire(end.Add(-1), maxAge); len(gone) != 0 {
			t.Error("the old pair ended before its grace")
		}
		if gone := s.expire(end, maxAge); len(gone) != 1 || gone[0] != old || s.find(old.inbound) != nil {
			t.Errorf("after its grace the old pair is still there: %v", gone)
		}
	})
	t.Run("the responder does not send on a pair before the peer used it", func(t *testing.T) {
		var s saSet
		old, renewed := newTestPair(start), newTestPair(start)
		s.initiated(old, after(maxAge))
		s.answered(renewed, start)
		if s.current != old || s.find(renewed.inbound) != renewed {
			t.Error("the pending pair is current, or does not receive")
		}
		if !s.used(renewed, start) || s.current != renewed {
			t.Error("the peer's use of the pending pair did not make it current")
		}
		if s.find(old.inbound) != old {
			t.Error("the old pair does not receive any more")
		}
	})
	t.Run("the first pair of a responder becomes current by use", func(t *testing.T) {
		var s saSet
		first := newTestPair(start)
		s.answered(first, start)
		if s.current != nil {
			t.Error("current before any use")
		}
		if !s.used(first, start) || s.current != first {
			t.Error("not current after use")
		}
	})
	t.Run("a repeated initiation leaves the earlier answers usable, the used one ends those before it", func(t *testing.T) {
		var s saSet
		a, b, c := newTestPair(start), newTestPair(start), newTestPair(start)
		s.answered(a, start)
		s.answered(b, start)
		s.answered(c, start)
		if !s.used(b, start) || s.current != b {
			t.Fatal("the second answer did not become current")
		}
		if gone := s.expire(start, maxAge); len(gone) != 1 || gone[0] != a {
			t.Errorf("expired %d pairs, want the first answer alone", len(gone))
		}
		if s.find(c.inbound) != c {
			t.Error("the third answer, which may be on its way, is gone")
		}
	})
	t.Run("answers that are never used are bounded", func(t *testing.T) {
		var s saSet
		for range 10 * maxPending {
			s.answered(newTestPair(start), start)
		}
		gone := s.expire(start, maxAge)
		if len(s.pending) != maxPending || len(gone) != 9*maxPending {
			t.Errorf("%d pending, %d gone", len(s.pending), len(gone))
		}
	})
	t.Run("replaced pairs are bounded even when the peer never uses a new one", func(t *testing.T) {
		var s saSet
		for range 10 * maxRetiring {
			s.initiated(newTestPair(start), after(maxAge))
			s.expire(start, maxAge)
		}
		if len(s.retiring) > maxRetiring {
			t.Errorf("%d retiring", len(s.retiring))
		}
	})
	t.Run("no pair outlives its maximal age", func(t *testing.T) {
		var s saSet
		s.initiated(newTestPair(start), after(2*maxAge))
		s.initiated(newTestPair(start), after(2*maxAge))
		s.answered(newTestPair(start), start)
		if gone := s.expire(after(maxAge), maxAge); len(gone) != 3 || s.current != nil {
			t.Errorf("%d of 3 gone, current %v", len(gone), s.current)
		}
	})
	t.Run("a pair that is ended is gone, and the others stay", func(t *testing.T) {
		for ended := range 3 {
			var s saSet
			pairs := []*saPair{newTestPair(start), newTestPair(start), newTestPair(start)}
			s.initiated(pairs[0], after(maxAge))
			s.initiated(pairs[1], after(maxAge))
			s.answered(pairs[2], start)
			s.end(pairs[ended])
			for i, p := range pairs {
				if there := s.find(p.inbound) != nil; there != (i != ended) {
					t.Errorf("pair %d is ended, and pair %d is there: %v", ended, i, there)
				}
			}
			if (s.current == nil) != (ended == 1) {
				t.Errorf("pair %d is ended: current %v", ended, s.current)
			}
		}
	})
	t.Run("clear returns everything", func(t *testing.T) {
		var s saSet
		s.initiated(newTestPair(start), after(maxAge))
		s.initiated(newTestPair(start), after(maxAge))
		s.answered(newTestPair(start), start)
		if gone := s.clear(); len(gone) != 3 || s.current != nil || len(s.pending)+len(s.retiring) != 0 {
			t.Errorf("%d gone", len(gone))
		}
	})
	t.Run("the use of a pair that is gone changes nothing", func(t *testing.T) {
		var s saSet
		current := newTestPair(start)
		s.initiated(current, after(maxAge))
		if s.used(newTestPair(start), start) || s.current != current {
			t.Error("a stranger's pair became current")
		}
	})
}
