package tunnel

import (
	"math"
	"testing"
	"time"
)

// someSet makes pairs and knows them by name.
type someSet struct {
	saSet
	t     *testing.T
	pairs map[string]*saPair
	now   time.Time
}

func newSomeSet(t *testing.T) *someSet {
	return &someSet{t: t, pairs: make(map[string]*saPair), now: time.Unix(1000, 0)}
}

const lifeInTests = time.Hour

func (s *someSet) make(name string, r rank, initiator bool) *saPair {
	p := &saPair{inbound: new(inboundSA), rank: r, initiator: initiator, established: s.now}
	s.pairs[name] = p
	return p
}

// asked adds a pair whose handshake this end began, and got one that it answered.
func (s *someSet) asked(name string, generation uint64) bool {
	return s.add(s.make(name, rank{generation: generation}, true), s.now)
}

func (s *someSet) got(name string, generation uint64) bool {
	return s.add(s.make(name, rank{generation: generation, greater: true}, false), s.now)
}

// arrives does what the first packet on a pair does.
func (s *someSet) arrives(name string) bool {
	s.pairs[name].inbound.used.Store(true)
	return s.prove(s.pairs[name], s.now)
}

func (s *someSet) passes(d time.Duration) (gone []*saPair) {
	s.now = s.now.Add(d)
	gone, _ = s.expire(s.now, lifeInTests)
	return gone
}

// sends checks which pair is sent on, "" for none, and which others receive.
func (s *someSet) sends(on string, receives ...string) {
	s.t.Helper()
	if s.current != s.pairs[on] {
		s.t.Errorf("it does not send on %q", on)
	}
	if on != "" {
		receives = append(receives, on)
	}
	for _, name := range receives {
		if p := s.pairs[name]; s.find(p.inbound) != p {
			s.t.Errorf("%s does not receive", name)
		}
	}
	if n := len(s.saSet.pairs); n != len(receives) {
		s.t.Errorf("%d pairs receive, want %v", n, receives)
	}
}

// TestTheOrderOfPairs: an end has two pairs, whenever their handshakes end.
func TestTheOrderOfPairs(t *testing.T) {
	for _, test := range []struct {
		name          string
		higher, lower rank
	}{
		{"the higher generation", rank{8, false}, rank{7, true}},
		{"the higher generation of the greater key", rank{8, true}, rank{7, true}},
		{"of one generation, that of the greater key", rank{7, true}, rank{7, false}},
		{"a generation where there is no higher one", rank{math.MaxUint64, true}, rank{math.MaxUint64, false}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if !test.lower.below(test.higher) || test.higher.below(test.lower) || test.higher.below(test.higher) {
				t.Error("the order is another")
			}
			for _, first := range []string{"higher", "lower"} {
				for _, mine := range []string{"higher", "lower", "both", "none"} {
					s := newSomeSet(t)
					add := func(name string, r rank) { s.add(s.make(name, r, mine == name || mine == "both"), s.now) }
					if first == "higher" {
						add("higher", test.higher)
						add("lower", test.lower)
					} else {
						add("lower", test.lower)
						add("higher", test.higher)
					}
					s.arrives(first)
					s.arrives("lower")
					s.arrives("higher")
					s.arrives("lower")
					s.sends("higher", "lower")
				}
			}
		})
	}
}

func TestTheNextGeneration(t *testing.T) {
	for _, test := range []struct {
		name          string
		have          []uint64
		atLeast, want uint64
	}{
		{"nobody has any", nil, 0, 1},
		{"the peer has some", nil, 58, 58},
		{"this end has some, the peer has restarted", []uint64{57}, 1, 58},
		{"both have some", []uint64{57, 3}, 60, 60},
		{"there is no higher one", []uint64{math.MaxUint64}, 1, math.MaxUint64},
	} {
		s := newSomeSet(t)
		for _, g := range test.have {
			s.got("some", g)
		}
		if got := s.next(test.atLeast); got != test.want {
			t.Errorf("%s: %d, want %d", test.name, got, test.want)
		}
	}
	s := newSomeSet(t)
	s.asked("old", math.MaxUint64)
	s.asked("new", s.next(0))
	s.sends("new", "old")
}

// TestWhichPairIsSentOn, after the events of a peer's handshakes.
func TestWhichPairIsSentOn(t *testing.T) {
	for _, test := range []struct {
		name     string
		do       func(s *someSet)
		on       string
		receives []string
	}{
		{"nothing", func(s *someSet) {}, "", nil},
		{"the response has come", func(s *someSet) { s.asked("a", 1) }, "a", nil},
		{"we have answered", func(s *someSet) { s.got("a", 1) }, "", []string{"a"}},
		{"the peer has used what we have answered", func(s *someSet) { s.got("a", 1); s.arrives("a") }, "a", nil},
		{"a rekey of ours", func(s *someSet) { s.asked("a", 1); s.arrives("a"); s.asked("b", 2) }, "b", []string{"a"}},
		{"a rekey of ours to which nobody answers", func(s *someSet) {
			s.asked("a", 1)
			s.arrives("a")
			s.asked("b", 2)
			s.doubt(s.pairs["b"], s.now)
		}, "a", []string{"b"}},
		{"a rekey of ours to which somebody answers late", func(s *someSet) {
			s.asked("a", 1)
			s.arrives("a")
			s.asked("b", 2)
			s.doubt(s.pairs["b"], s.now)
			s.arrives("b")
		}, "b", []string{"a"}},
		{"a rekey of the peer's", func(s *someSet) { s.asked("a", 1); s.arrives("a"); s.got("b", 2) }, "a", []string{"b"}},
		{"a rekey of the peer's in use", func(s *someSet) { s.asked("a", 1); s.arrives("a"); s.got("b", 2); s.arrives("b") }, "b", []string{"a"}},
		{"the first has no answer, and there is none else", func(s *someSet) { s.asked("a", 1); s.doubt(s.pairs["a"], s.now) }, "a", nil},
		{"none of two has an answer", func(s *someSet) {
			s.asked("a", 1)
			s.doubt(s.pairs["a"], s.now)
			s.asked("b", 2)
			s.doubt(s.pairs["b"], s.now)
		}, "b", []string{"a"}},
		{"crossed, ours is the lower", func(s *someSet) { s.asked("a", 1); s.got("b", 1); s.arrives("b"); s.arrives("a") }, "b", []string{"a"}},
		{"crossed, and the higher has never arrived at the peer", func(s *someSet) { s.asked("a", 1); s.got("b", 1); s.arrives("a") }, "a", []string{"b"}},
		{"an answer that comes when there is a higher pair", func(s *someSet) { s.got("b", 2); s.arrives("b"); s.asked("a", 1) }, "b", []string{"a"}},
		{"the current one expires", func(s *someSet) {
			s.asked("a", 1)
			s.arrives("a")
			s.passes(lifeInTests / 2)
			s.got("b", 2)
			s.passes(lifeInTests / 2)
		}, "", []string{"b"}},
		{"the lower one expires", func(s *someSet) {
			s.asked("a", 1)
			s.arrives("a")
			s.passes(lifeInTests - time.Second)
			s.asked("b", 2)
			s.passes(time.Second)
		}, "b", nil},
		{"closed", func(s *someSet) { s.asked("a", 1); s.arrives("a"); s.closed(s.pairs["a"], s.now) }, "", nil},
		{"closed, and unused pairs below", func(s *someSet) {
			s.got("a", 1)
			s.asked("b", 2)
			s.arrives("b")
			s.closed(s.pairs["b"], s.now)
		}, "", nil},
		{"closed late, when the peer is back", func(s *someSet) {
			s.asked("a", 1)
			s.arrives("a")
			s.got("b", 2)
			s.arrives("b")
			s.closed(s.pairs["a"], s.now)
		}, "b", nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newSomeSet(t)
			test.do(s)
			s.sends(test.on, test.receives...)
		})
	}
}

// TestAReplacedPairReceivesWhilePacketsArrive on it, and not much longer.
func TestAReplacedPairReceivesWhilePacketsArrive(t *testing.T) {
	s := newSomeSet(t)
	s.asked("old", 1)
	s.arrives("old")
	s.asked("new", 2)
	s.arrives("new")
	for range 20 {
		s.passes(retireGrace - 1)
		s.pairs["old"].inbound.used.Store(true)
		s.passes(1)
		s.sends("new", "old")
	}
	if at := s.expiry(lifeInTests); !at.Equal(s.now.Add(retireGrace)) {
		t.Errorf("looked at again after %v", at.Sub(s.now))
	}
	if gone := s.passes(retireGrace - 1); len(gone) != 0 {
		t.Error("gone before its grace is over")
	}
	if gone := s.passes(1); len(gone) != 1 || gone[0] != s.pairs["old"] {
		t.Errorf("%d are gone", len(gone))
	}
	s.sends("new")
	s.passes(24 * time.Hour)
	s.sends("")
}

// TestADoubtedPairDoesNotMakeTheOldOneRetire: the old one is in use.
func TestADoubtedPairDoesNotMakeTheOldOneRetire(t *testing.T) {
	s := newSomeSet(t)
	s.asked("old", 1)
	s.arrives("old")
	s.asked("new", 2)
	s.doubt(s.pairs["new"], s.now)
	s.passes(2 * retireGrace)
	s.sends("old", "new")
	if s.unconfirmed() != s.pairs["new"] {
		t.Error("the new one is not to be confirmed")
	}
	s.arrives("new")
	if s.unconfirmed() != nil {
		t.Error("still to be confirmed")
	}
}

// TestAPeerCannotFillTheMemory by handshakes, whatever it does with them.
func TestAPeerCannotFillTheMemory(t *testing.T) {
	for name, do := range map[string]func(s *someSet, n uint64){
		"it answers, and uses nothing":    func(s *someSet, n uint64) { s.asked("a", n) },
		"it answers, and uses everything": func(s *someSet, n uint64) { s.asked("a", n); s.arrives("a") },
		"it calls, and uses nothing":      func(s *someSet, n uint64) { s.got("a", n) },
		"it calls, and uses everything":   func(s *someSet, n uint64) { s.got("a", n); s.arrives("a") },
		"it counts downwards":             func(s *someSet, n uint64) { s.got("a", 1000-n); s.arrives("a") },
		"nobody answers":                  func(s *someSet, n uint64) { s.asked("a", n); s.doubt(s.pairs["a"], s.now) },
	} {
		t.Run(name, func(t *testing.T) {
			s := newSomeSet(t)
			for n := range uint64(500) {
				do(s, n+1)
				s.passes(0)
			}
			if most := maxUnproven + maxSpare + 1; len(s.saSet.pairs) > most {
				t.Errorf("%d pairs", len(s.saSet.pairs))
			}
			if s.passes(lifeInTests); len(s.saSet.pairs) != 0 || s.current != nil || !s.expiry(lifeInTests).IsZero() {
				t.Errorf("%d outlive their age", len(s.saSet.pairs))
			}
		})
	}
}

// TestTheAnswersToTheLastInitiationsStay: the initiator may use any of them.
func TestTheAnswersToTheLastInitiationsStay(t *testing.T) {
	s := newSomeSet(t)
	for n := range uint64(10) {
		s.got(string(rune('0'+n)), n+1)
		s.passes(0)
	}
	s.sends("", "4", "5", "6", "7", "8", "9")
	s.arrives("7")
	s.sends("7", "4", "5", "6", "8", "9")
	s.passes(retireGrace)
	s.sends("7", "8", "9")
}

func TestClearReturnsEverything(t *testing.T) {
	s := newSomeSet(t)
	s.asked("a", 1)
	s.asked("b", 2)
	s.got("c", 3)
	if gone := s.clear(); len(gone) != 3 {
		t.Errorf("%d gone", len(gone))
	}
	s.sends("")
}
