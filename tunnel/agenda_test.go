package tunnel

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

// TestTheAgenda against a list that is searched.
func TestTheAgenda(t *testing.T) {
	epoch := time.Unix(1000, 0)
	rng := rand.New(rand.NewPCG(1, 2))
	var a agenda
	peers := make([]*peer, 50)
	for i := range peers {
		peers[i] = new(peer)
		peers[i].appointment.peer = peers[i]
	}
	want := make(map[*peer]time.Time)
	now := epoch
	for range 20000 {
		p := peers[rng.IntN(len(peers))]
		var at time.Time
		if rng.IntN(4) > 0 {
			at = now.Add(time.Duration(rng.IntN(1000)) * time.Millisecond)
			want[p] = at
		} else {
			delete(want, p)
		}
		a.set(&p.appointment, at)
		var first time.Time
		for _, at := range want {
			first = earliest(first, at)
		}
		if !a.next().Equal(first) {
			t.Fatalf("next %v, want %v", a.next(), first)
		}
		if rng.IntN(10) == 0 {
			now = now.Add(time.Duration(rng.IntN(200)) * time.Millisecond)
			last := time.Time{}
			due := a.take(now, len(peers))
			for _, p := range due {
				if at, ok := want[p]; !ok || at.After(now) || at.Before(last) {
					t.Fatalf("taken at %v: %v, after %v", now, at, last)
				}
				last = want[p]
				delete(want, p)
			}
			for _, at := range want {
				if !at.After(now) {
					t.Fatalf("not taken at %v: %v", now, at)
				}
			}
		}
	}
}

// TestTheAgendaInTurns: where many are due, those come first that have been for
// longest.
func TestTheAgendaInTurns(t *testing.T) {
	now := time.Unix(1000, 0)
	var a agenda
	const peers, atMost = 10, 3
	for i := range peers {
		p := &peer{name: fmt.Sprint(i)}
		p.appointment.peer = p
		a.set(&p.appointment, now.Add(time.Duration(i-peers)*time.Second))
	}
	seen := 0
	for turns := 1; seen < peers; turns++ {
		due := a.take(now, atMost)
		if len(due) == 0 || len(due) > atMost {
			t.Fatalf("turn %d: %d peers", turns, len(due))
		}
		for _, p := range due {
			if p.name != fmt.Sprint(seen) {
				t.Errorf("peer %s in place %d", p.name, seen)
			}
			seen++
		}
	}
	if len(a.take(now, atMost)) > 0 {
		t.Error("a peer is taken twice")
	}
}

func TestCoarseDeadlinesFallTogether(t *testing.T) {
	epoch := time.Unix(1000, 123456789)
	a := agenda{epoch: epoch}
	for _, test := range []struct{ at, want time.Duration }{
		{0, 0}, {1, tick}, {tick - 1, tick}, {tick, tick}, {tick + 1, 2 * tick}, {time.Hour + 3, time.Hour + tick},
	} {
		if got := a.coarse(epoch.Add(test.at)).Sub(epoch); got != test.want {
			t.Errorf("%v becomes %v, want %v", test.at, got, test.want)
		}
	}
	if !a.coarse(time.Time{}).IsZero() {
		t.Error("no deadline becomes one")
	}
}

func TestKeepalive(t *testing.T) {
	start := time.Unix(1000, 0)
	type look struct {
		at   time.Duration
		sent uint64
		due  bool
	}
	for _, test := range []struct {
		name     string
		interval time.Duration
		looks    []look
	}{
		{"off", 0, []look{{0, 0, false}, {time.Hour, 1, false}, {2 * time.Hour, 1, false}}},
		{"silence", 10 * time.Second, []look{{0, 1, false}, {9 * time.Second, 1, false}, {10 * time.Second, 1, true}, {11 * time.Second, 1, false}, {20 * time.Second, 1, true}}},
		{"packets", 10 * time.Second, []look{{0, 1, false}, {9 * time.Second, 2, false}, {18 * time.Second, 3, false}, {27 * time.Second, 3, false}, {28 * time.Second, 3, true}}},
	} {
		k := keepalive{interval: test.interval}
		for i, l := range test.looks {
			if due := k.look(start.Add(l.at), l.sent); due != l.due {
				t.Errorf("%s, look %d: due %v", test.name, i, due)
			}
			if at := k.deadline(); test.interval > 0 && !at.After(start.Add(l.at)) {
				t.Errorf("%s, look %d: the deadline has passed", test.name, i)
			}
		}
	}
}

func TestPulse(t *testing.T) {
	start := time.Unix(1000, 0)
	var u pulse
	for i, look := range []struct {
		at     time.Duration
		rx, tx uint64
		flows  bool
	}{
		{0, 0, 0, false}, {1, 0, 1, true}, {tick, 0, 1, true}, {tick + 1, 0, 1, false},
		{tick + 2, 1, 1, true}, {2*tick + 1, 1, 1, true}, {2*tick + 2, 1, 1, false},
	} {
		now := start.Add(look.at)
		if flows := u.look(now, look.rx, look.tx); flows != look.flows || u.deadline(now).IsZero() == flows {
			t.Errorf("look %d: %v", i, flows)
		}
	}
}
