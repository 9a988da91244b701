package paths

import (
	"testing"
	"time"
)

func TestWhoWinsAContest(t *testing.T) {
	const began = 100
	current := &path{Pair: Pair{Interface: 1}, state: Proved}
	answered := func(at int, cost int, srtt time.Duration) *path {
		return &path{state: Proved, asked: ms(at), cost: Cost{cost, 0}, rtt: rtt{smoothed: srtt}, newest: ms(at)}
	}
	cheap, dear, quick := answered(began, 0, 9), answered(began+5, 1, 3), answered(began+5, 0, 4)
	early, failed, old := answered(began-1, 0, 1), answered(began, 0, 1), answered(began, 0, 1)
	failed.state = Failed
	old.newest = ms(began - 50)
	for _, tc := range []struct {
		name   string
		kind   contestKind
		paths  list
		winner *path
	}{
		{"nobody has answered", stalled, list{current}, nil},
		{"an answer to what left before", stalled, list{current, early}, nil},
		{"one that has failed since", stalled, list{current, failed}, nil},
		{"the cheapest", stalled, list{cheap, dear}, cheap},
		{"the quickest of one cost", stalled, list{cheap, quick, dear}, quick},
		{"the peer does not send from there", elsewhere, list{old, current}, nil},
		{"the peer sends from there", elsewhere, list{old, current, dear}, dear},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := contest{began: ms(began), kind: tc.kind}
			if got := c.winner(tc.paths, current); got != tc.winner {
				t.Errorf("%+v", got)
			}
		})
	}
}

func TestThePairInUseHasItsChance(t *testing.T) {
	r := rtt{20 * time.Millisecond, 3 * time.Millisecond}
	there, silent := &path{newest: ms(5)}, &path{}
	for _, tc := range []struct {
		name string
		kind contestKind
		role Role
		p    *path
		at   int
	}{
		{"nothing is acknowledged", stalled, Decider, silent, 26},
		{"likewise, but the peer decides", stalled, Follower, silent, 66},
		{"the decider is there", stalled, Follower, there, 26},
		{"a packet from elsewhere", elsewhere, Roaming, there, 40},
	} {
		c := contest{began: epoch, kind: tc.kind}
		if got := c.decidesAt(tc.p, r, tc.role); !got.Equal(ms(tc.at)) {
			t.Errorf("%s: after %v", tc.name, got.Sub(epoch))
		}
	}
}

// minute begins a contest at each millisecond of a minute, if one may begin, and has the
// pair in use win. It returns how many there were, and the end of the minute.
func (c *contest) minute() (began int, now time.Time) {
	now = epoch
	for range 60_000 {
		now = now.Add(time.Millisecond)
		if c.begin(elsewhere, CausePeer, false, now) {
			began++
			c.close(roundTrip, now)
		}
	}
	return began, now
}

func TestContestsThatChangeNothingGrowRare(t *testing.T) {
	var c contest
	began, now := c.minute()
	if began < 8 || began > 16 {
		t.Errorf("%d contests in a minute", began)
	}
	if !c.begin(stalled, CauseSilent, false, now) {
		t.Error("they keep out contests of another kind")
	}
	if c.begin(elsewhere, CausePeer, false, now) || c.begin(stalled, CausePeer, false, now) {
		t.Error("a contest begins within another")
	}
	c.forget()
	if !c.begin(elsewhere, CausePeer, false, now.Add(time.Second)) || !c.begin(stalled, CauseSilent, false, now.Add(2*time.Second)) || c.kind != stalled || !c.began.Equal(now.Add(time.Second)) {
		t.Errorf("a contest is not widened: %+v", c)
	}
}

// TestAFreshPairDoesNotWaitForOthers: however often the pair in use has won against one,
// the peer may have moved on to another.
func TestAFreshPairDoesNotWaitForOthers(t *testing.T) {
	var c contest
	began, now := c.minute()
	for ; !c.begin(elsewhere, CausePeer, false, now); now = now.Add(time.Millisecond) {
	}
	c.close(roundTrip, now)
	if c.begin(elsewhere, CausePeer, true, now.Add(alarmAfter-1)) || !c.alarms[elsewhere].later.Equal(now.Add(alarmAfter)) {
		t.Errorf("fresh ones have no pause at all, or another: %+v", c)
	}
	if c.begin(elsewhere, CausePeer, false, now.Add(alarmAfter-1)); !c.alarms[elsewhere].later.Equal(now.Add(alarmAfter)) {
		t.Error("the contest of a fresh pair is put off further")
	}
	if c.begin(elsewhere, CausePeer, false, now.Add(alarmAfter)) || !c.begin(elsewhere, CausePeer, true, now.Add(alarmAfter)) {
		t.Errorf("a fresh pair waits as the others do: %+v", c)
	}
	if began == 0 {
		t.Error("no contest")
	}
}
