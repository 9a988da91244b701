package tunnel

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"fathom/test/tier"
)

// TestFailoverIsExact: how long data is interrupted when the way in use fails, with a
// round trip of 20 ms, whatever the moment between two packets and two requests. Half
// of that passes until anything can be known, or be heard again. The left end has a
// configured endpoint and calls, or has none and is called.
func TestFailoverIsExact(t *testing.T) {
	const (
		rtt = 20 * time.Millisecond
		// unknown is what a fault costs that only the lack of answers tells of, known
		// what one costs that the host tells of, in the worst case.
		unknown = 7*rtt + pace
		known   = 2*rtt + 20*time.Millisecond
	)
	silent := func(m *multihomed) { m.silence(0, true, true) }
	runs := 20
	if tier.Race {
		runs = 2 // test/run makes all of them without the race detector
	}
	for _, test := range []struct {
		name        string
		left, right site
		fault       func(*multihomed)
		worst       time.Duration
	}{
		{"silent", named, single, silent, unknown},
		{"loses what it sends", named, single, func(m *multihomed) { m.silence(0, true, false) }, unknown},
		{"loses what it receives", named, single, func(m *multihomed) { m.silence(0, false, true) }, unknown},
		{"down", named, single, func(m *multihomed) { m.lose(0) }, known},
		{"address gone", named, single, func(m *multihomed) { m.loseAddress(0) }, known},
		{"down, without uplinks", chosen, single, func(m *multihomed) { m.lose(0) }, known},
		{"address gone, without uplinks", chosen, single, func(m *multihomed) { m.loseAddress(0) }, known},
		{"default route moves", chosen, single, func(m *multihomed) { m.reroute(1) }, known},
		{"silent, default route moves", chosen, single, func(m *multihomed) { silent(m); m.reroute(1) }, known},
		{"one family dies", dual, dual, silent, unknown},
		{"silent, uplinks at both ends", named, named, silent, unknown},
		{"down, uplinks at both ends", named, named, func(m *multihomed) { m.lose(0) }, known},
	} {
		for _, called := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, called %v", test.name, called), func(t *testing.T) {
				t.Parallel()
				var gaps []time.Duration
				for run := range runs {
					synctest.Test(t, func(t *testing.T) {
						m := newSites(t, sites{left: test.left, right: test.right, called: called, leftIsGreater: run%2 == 0})
						m.start(t)
						m.flow(time.Second + time.Duration(run)*3*time.Millisecond)
						if at := m.right.place(); at != m.place(0) {
							t.Fatalf("the peer is at %v, want %v", at, m.place(0))
						}
						test.fault(m)
						forth, back := m.flow(400 * time.Millisecond)
						gaps = append(gaps, max(forth, back))
						if at := m.right.place(); at != m.place(1) {
							t.Errorf("the peer is at %v, want %v", at, m.place(1))
						}
					})
				}
				slices.Sort(gaps)
				median, worst := gaps[len(gaps)/2], gaps[len(gaps)-1]
				t.Logf("gap median %v, worst %v", median, worst)
				if worst > test.worst {
					t.Errorf("gap median %v, worst %v, want at most %v", median, worst, test.worst)
				}
			})
		}
	}
}

// TestAPeerIsCalledByEachUplink: with the first dead from the start the peer is up a
// candidateGap later than usual, whichever end calls, and back on the first uplink when
// that has been alive for long enough.
func TestAPeerIsCalledByEachUplink(t *testing.T) {
	for _, called := range []bool{false, true} {
		t.Run(fmt.Sprintf("called %v", called), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := newMultihomed(t, called)
				m.silence(0, true, true)
				if took := m.start(t); took > candidateGap+6*m.left.wire.trip {
					t.Errorf("up after %v", took)
				}
				if at := m.right.place(); at != m.place(1) {
					t.Errorf("the peer is at %v, want %v", at, m.place(1))
				}
				m.flow(time.Second)
				m.left.wire.block(nil)
				if forth, back := m.flow(3 * time.Minute); max(forth, back) > 2*m.left.wire.trip {
					t.Errorf("data was interrupted for %v", max(forth, back))
				}
				if at := m.right.place(); at != m.place(0) {
					t.Errorf("the peer is at %v, want %v", at, m.place(0))
				}
			})
		})
	}
}

// TestARenumberedEndIsFollowedWithinASecond: its only uplink gets another address while
// nothing is sent, once at once and once after a while without any. It has a configured
// endpoint, or none.
func TestARenumberedEndIsFollowedWithinASecond(t *testing.T) {
	for _, called := range []bool{false, true} {
		for _, without := range []time.Duration{0, 3 * time.Second} {
			t.Run(fmt.Sprintf("called %v, %v without address", called, without), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					m := newSites(t, sites{left: chosen, right: single, called: called})
					m.host.one = true // one interface, which has its addresses in turn
					m.host.drop(1)
					m.start(t)
					time.Sleep(7 * time.Second) // an echo is not due for a while
					m.loseAddress(0)
					time.Sleep(without)
					m.host.regain(1)
					m.left.changes.Address(1, m.host.uplinks[1], true)
					took := until(t, time.Minute, func() bool { return m.right.place() == m.place(1) })
					if bound := gatherChanges + 8*m.left.wire.trip; took > bound {
						t.Errorf("followed after %v, want %v", took, bound)
					}
					t.Logf("followed after %v", took)
				})
			})
		}
	}
}
