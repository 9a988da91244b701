package pmtud

import (
	"math/rand/v2"
	"testing"
	"time"
)

// newPath returns a clean path of 20 ms on which nothing has happened yet.
func newPath(mtu int) *model {
	m := newModel(Config{}, rand.New(rand.NewPCG(8899, 5)))
	m.mtu, m.delay = mtu, 10*time.Millisecond
	return m
}

// begin gives the path an endpoint.
func (m *model) begin(egress int) {
	m.d.NewEndpoint(Endpoint{EgressMTU: egress}, m.now)
	m.d.SeedRTT(m.rtt())
}

// in brings a path into a state.
func in(t *testing.T, s State) *model {
	t.Helper()
	m := newPath(1400)
	reached := func() bool { return m.d.State() == s }
	switch s {
	case Disabled:
		return m
	case Unreachable:
		m.down = true
	case Error:
		m.mtu = 1000
		reached = func() bool { return m.d.State() == Error && m.d.settled }
	}
	m.begin(1500)
	if !m.run(10*time.Second, reached) {
		t.Fatalf("state %v is not reached: %v", s, m.d.State())
	}
	return m
}

func TestEveryTransition(t *testing.T) {
	states := []State{Disabled, Base, Searching, SearchComplete, Error, Unreachable}
	for _, tc := range []struct {
		name string
		do   func(m *model)
		// to is the state after it for each state before it.
		to map[State]State
	}{
		{"the peer's address is validated", func(m *model) { m.begin(1500) },
			map[State]State{Disabled: Base, Base: Base, Searching: Base, SearchComplete: Base, Error: Base, Unreachable: Base}},
		{"connectivity is lost", func(m *model) { m.d.Stop(m.now) },
			map[State]State{Disabled: Disabled, Base: Disabled, Searching: Disabled, SearchComplete: Disabled, Error: Disabled, Unreachable: Disabled}},
		{"a probe of the base size is acknowledged", func(m *model) {
			m.mtu = 1400
			if m.d.state == SearchComplete || m.d.state == Disabled {
				return
			}
			if m.d.state == Error { // only its raise timer probes the base size again
				m.run(6*time.Second, func() bool { return m.d.State() != Error })
				return
			}
			m.run(m.rtt()+time.Microsecond, nil)
		}, map[State]State{Disabled: Disabled, Base: Searching, Searching: Searching, SearchComplete: SearchComplete, Error: Searching}},
		{"the base size fails MAX_PROBES times", func(m *model) {
			m.mtu = 1000
			m.run(4*m.rtt(), func() bool { return m.d.State() == Error })
		}, map[State]State{Disabled: Disabled, Base: Error, SearchComplete: SearchComplete, Error: Error}},
		{"MAX_PLPMTU is acknowledged", func(m *model) {
			m.mtu = 1500
			m.run(10*m.rtt(), nil)
		}, map[State]State{Disabled: Disabled, Base: SearchComplete, Searching: SearchComplete, SearchComplete: SearchComplete, Error: Error}},
		{"the size after the PLPMTU fails MAX_PROBES times", func(m *model) { m.run(6*m.rtt(), nil) },
			map[State]State{Disabled: Disabled, Base: SearchComplete, Searching: SearchComplete, SearchComplete: SearchComplete, Error: Error}},
		{"PMTU_RAISE_TIMER expires", func(m *model) {
			m.run(6*time.Second, func() bool { return !m.d.raiser.at.IsZero() && m.d.round.open })
		}, map[State]State{Disabled: Disabled, Base: SearchComplete, Searching: SearchComplete, SearchComplete: SearchComplete, Error: Error}},
		{"MAX_PLPMTU grows", func(m *model) { m.d.EgressMTU(1600, m.now) },
			map[State]State{Disabled: Disabled, Base: Base, Searching: Searching, SearchComplete: Searching, Error: Error}},
		{"MAX_PLPMTU shrinks below the PLPMTU", func(m *model) { m.d.EgressMTU(900, m.now) },
			map[State]State{Disabled: Disabled, Base: Base, Searching: SearchComplete, SearchComplete: SearchComplete, Error: Searching}},
		{"a black hole is suspected", func(m *model) { m.d.blackHole(m.now) },
			map[State]State{Disabled: Disabled, Base: Base, Searching: Base, SearchComplete: Base, Error: Error}},
		{"a validated PTB offers less than the PLPMTU", func(m *model) {
			m.d.PTB(PTB{MTU: 800, Size: m.d.PLPMTU(), Validated: true}, m.now)
		}, map[State]State{Disabled: Disabled, Base: Base, Searching: Base, SearchComplete: Base, Error: Error}},
		{"a PTB that is not validated offers less than the PLPMTU", func(m *model) {
			m.d.PTB(PTB{MTU: 800, Size: m.d.PLPMTU()}, m.now)
		}, map[State]State{Disabled: Disabled, Base: Base, Searching: Searching, SearchComplete: SearchComplete, Error: Error}},
		{"nothing is answered any more", func(m *model) {
			m.down = true
			m.d.Confirm() // or nothing would be asked at rest
			m.run(20*time.Second, func() bool { return m.d.State() == Unreachable })
		}, map[State]State{Disabled: Disabled, Base: Unreachable, Searching: Unreachable, SearchComplete: Unreachable, Error: Unreachable, Unreachable: Unreachable}},
		{"a fan is answered, the smallest probes alone", func(m *model) {
			m.down, m.mtu = false, 1000
			m.run(20*time.Second, func() bool { return m.d.State() != Unreachable })
		}, map[State]State{Unreachable: Base}},
		{"a fan is answered", func(m *model) {
			m.down = false
			m.run(20*time.Second, func() bool { return m.d.State() != Unreachable })
		}, map[State]State{Unreachable: Searching}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for _, from := range states {
				want, ok := tc.to[from]
				if !ok {
					continue
				}
				m := in(t, from)
				tc.do(m)
				if got := m.d.State(); got != want {
					t.Errorf("from %v to %v, want %v", from, got, want)
				}
				if p := m.d.PLPMTU(); p < m.d.search.grid.min || p > m.d.search.grid.max {
					t.Errorf("from %v: PLPMTU is %d", from, p)
				}
			}
		})
	}
}

func TestAPairWithoutALineChangesNothing(t *testing.T) {
	lines := map[[2]int]State{}
	for _, l := range transitions {
		key := [2]int{int(l.from), int(l.on)}
		if _, twice := lines[key]; twice {
			t.Errorf("two lines for %v and event %d", l.from, l.on)
		}
		if l.rfc == "" {
			t.Errorf("%v and event %d name no section", l.from, l.on)
		}
		lines[key] = l.to
	}
	for s := Disabled; s <= Unreachable; s++ {
		for e := connected; e <= answered; e++ {
			m := in(t, s)
			plpmtu := m.d.PLPMTU()
			to, listed := lines[[2]int{int(s), int(e)}]
			if got := m.d.transition(e, m.now); got != listed {
				t.Errorf("%v and event %d: listed is %v", s, e, got)
			}
			if !listed {
				to = s
				if m.d.PLPMTU() != plpmtu {
					t.Errorf("%v and event %d move the PLPMTU", s, e)
				}
			}
			if m.d.State() != to {
				t.Errorf("%v and event %d lead to %v, want %v", s, e, m.d.State(), to)
			}
		}
	}
}

func TestStatesHaveTheNamesOfTheRFC(t *testing.T) {
	want := []string{"disabled", "base", "searching", "search_complete", "error", "unreachable"}
	for i, w := range want {
		if got := State(i).String(); got != w {
			t.Errorf("state %d is %q, want %q", i, got, w)
		}
	}
}
