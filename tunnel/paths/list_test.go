package paths

import (
	"slices"
	"testing"
	"time"
)

func heardAt(port uint16, at time.Time) *path {
	return &path{Pair: Pair{1, addr("10.0.0.1"), addrPort("198.51.100.1", port)}, cost: Cost{0, heardEndpoint}, heard: at}
}

func TestRoomIsMadeByWorth(t *testing.T) {
	now := epoch.Add(time.Minute)
	var l list
	ours := &path{Pair: Pair{1, addr("10.0.0.1"), addrPort("192.0.2.1", 4500)}, ours: true}
	inUse := heardAt(1, epoch)
	l.insert(ours)
	l.insert(inUse)
	proved := heardAt(2, epoch)
	proved.confirmed = epoch
	l.insert(proved)
	for i := range maxPaths - 4 {
		l.insert(heardAt(uint16(10+i), ms(i)))
	}
	ghost := heardAt(3, epoch.Add(-time.Hour))
	l.insert(ghost)
	gone := func(p *path) bool { return !slices.Contains(l, p) }
	if !l.makeRoom(inUse, now) || !gone(ghost) || len(l) != maxPaths-1 {
		t.Fatalf("the ghost is not what goes: %d paths", len(l))
	}
	strangers := slices.Clone(l)
	for n := maxPaths - 1; ; n++ {
		l.insert(heardAt(uint16(100+n), now))
		if !l.makeRoom(inUse, now) {
			t.Fatal("no room")
		}
		if gone(ours) || gone(inUse) || gone(proved) {
			t.Fatal("a stranger outlives what is worth more")
		}
		if !slices.ContainsFunc(strangers, func(p *path) bool { return p != ours && p != inUse && p != proved && !gone(p) }) {
			break // the oldest strangers first: all of those
		}
		if n > 3*maxPaths {
			t.Fatal("newer strangers go first")
		}
	}
	for _, p := range l {
		p.ours = true
	}
	for len(l) < maxPaths {
		l = append(l, ours)
	}
	if l.makeRoom(inUse, now) {
		t.Error("room where all is ours")
	}
}

func TestTheCheapestComeFirst(t *testing.T) {
	var l list
	for _, c := range []Cost{{1, 0}, {0, 1}, {0, 0}, {1, 0}, {0, heardEndpoint}} {
		l.insert(&path{cost: c})
	}
	if !slices.IsSortedFunc(l, func(a, b *path) int { return a.cost.compare(b.cost) }) {
		t.Errorf("%v", l)
	}
}

func TestByWhichPathAPacketCame(t *testing.T) {
	remote := addrPort("192.0.2.1", 4500)
	first := &path{Pair: Pair{1, addr("10.0.0.1"), remote}, ours: true, cost: Cost{2, 0}}
	second := &path{Pair: Pair{2, addr("10.0.0.1"), remote}, ours: true, cost: Cost{3, 0}}
	l := list{first, second}
	for _, tc := range []struct {
		name string
		from Pair
		path *path
	}{
		{"by the second interface", second.Pair, second},
		{"by a third", Pair{3, addr("10.0.0.1"), remote}, first},
		{"to another address", Pair{1, addr("10.0.0.2"), remote}, nil},
		{"from another port", Pair{1, addr("10.0.0.1"), addrPort("192.0.2.1", 1)}, nil},
	} {
		if got := l.match(tc.from); got != tc.path {
			t.Errorf("%s: %v", tc.name, got)
		}
	}
	if got := l.heardCost(Pair{2, addr("10.9.9.9"), remote}); got != (Cost{3, heardEndpoint}) {
		t.Errorf("the cost of a place that was heard is %v", got)
	}
}
