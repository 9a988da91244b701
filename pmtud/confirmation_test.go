package pmtud

import (
	"testing"
	"time"
)

// rested is a Discovery of a path of 1500 bytes whose search is over.
func rested(t *testing.T) (*Discovery, time.Time) {
	t.Helper()
	now := time.Unix(1000, 0)
	d := New(Config{})
	d.NewSA(new(SentLog))
	d.NewEndpoint(Endpoint{EgressMTU: 1500}, now)
	d.SeedRTT(20 * time.Millisecond)
	now = answer(d, now, time.Second, func(Action) bool { return true })
	if d.State() != SearchComplete || d.PLPMTU() != 1500 {
		t.Fatalf("%v at %d", d.State(), d.PLPMTU())
	}
	return d, now
}

// answer lets time pass, and answers the probes that pass 20 ms later.
func answer(d *Discovery, now time.Time, last time.Duration, passes func(Action) bool) time.Time {
	type ack struct {
		id uint64
		at time.Time
	}
	var acks []ack
	for end := now.Add(last); now.Before(end); now = now.Add(time.Millisecond) {
		for len(acks) > 0 && !acks[0].at.After(now) {
			d.Ack(acks[0].id, false, now)
			acks = acks[1:]
		}
		for _, a := range d.Poll(nil, now) {
			if a.Kind == SendProbe && passes(a) {
				acks = append(acks, ack{a.ID, now.Add(20 * time.Millisecond)})
			}
		}
	}
	return now
}

// TestConfirm: one probe is enough where the PLPMTU passes, and where it does not the
// path is searched. An outage changes nothing.
func TestConfirm(t *testing.T) {
	for _, tc := range []struct {
		name         string
		mtu, want    int
		first        int // probes lost whatever their size
		least, most  int // probes
		changesNever bool
	}{
		{"it passes", 1500, 1500, 0, 1, 1, true},
		{"the probe is lost by chance", 1500, 1500, 1, 3, 6, true},
		{"the path has shrunk", 1400, 1400, 0, 10, 80, false},
		{"nothing comes back", 0, 1500, 0, 3, 40, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			d, now := rested(t)
			changes := len(d.History())
			if !d.Confirm() {
				t.Fatal("it is not done")
			}
			probes := 0
			answer(d, now, 3*time.Second, func(a Action) bool {
				if probes++; probes == 1 && a.Size != 1500 {
					t.Errorf("the first probe has %d bytes", a.Size)
				}
				return a.Size <= tc.mtu && probes > tc.first
			})
			if d.PLPMTU() != tc.want || probes < tc.least || probes > tc.most {
				t.Errorf("PLPMTU %d after %d probes", d.PLPMTU(), probes)
			}
			for _, e := range d.History()[changes:] {
				if tc.changesNever && e.From != e.To {
					t.Errorf("%v", d.History())
				}
			}
		})
	}
}

// TestConfirmWaitsForASearch, and for a verification.
func TestConfirmWaitsForASearch(t *testing.T) {
	d := New(Config{})
	now := time.Unix(1000, 0)
	d.NewEndpoint(Endpoint{EgressMTU: 1500}, now)
	if d.Confirm() {
		t.Error("during a search")
	}
	d, _ = rested(t)
	if !d.Confirm() || d.Confirm() {
		t.Error("twice at once")
	}
}

// TestAConfirmationEndsWithWhatItAsksAbout: one that is pending when something else is to
// be asked leaves no lone probe behind, whose loss by chance would be the verdict.
func TestAConfirmationEndsWithWhatItAsksAbout(t *testing.T) {
	for _, tc := range []struct {
		name    string
		happens func(d *Discovery, now time.Time)
	}{
		{"a black hole is suspected", func(d *Discovery, now time.Time) { d.blackHole(now) }},
		{"a PTB is validated", func(d *Discovery, now time.Time) {
			d.PTB(PTB{MTU: 1400, Size: 1500, Validated: true}, now)
		}},
		{"an outage begins", func(d *Discovery, now time.Time) { d.transition(outage, now) }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			d, now := rested(t)
			if !d.Confirm() {
				t.Fatal("it is not done")
			}
			tc.happens(d, now)
			probes := 0
			answer(d, now, time.Second, func(a Action) bool {
				probes++
				return a.Size <= 1500 && probes > 1 // the first is lost by chance
			})
			if d.PLPMTU() != 1500 || probes < 3 {
				t.Errorf("PLPMTU %d after %d probes, %v", d.PLPMTU(), probes, d.History())
			}
			for _, e := range d.History() {
				if e.Cause == CauseBlackHole || e.Cause == CausePTB {
					t.Errorf("%v", d.History())
				}
			}
		})
	}
}

// TestAConfirmationHeedsTheEgress: it asks for no size that the egress no longer takes.
func TestAConfirmationHeedsTheEgress(t *testing.T) {
	d, now := rested(t)
	if !d.Confirm() {
		t.Fatal("it is not done")
	}
	d.EgressMTU(1400, now)
	probes := 0
	answer(d, now, time.Second, func(a Action) bool {
		if probes++; a.Size > 1400 {
			t.Errorf("a probe of %d bytes", a.Size)
		}
		return a.Size <= 1400
	})
	if d.PLPMTU() != 1400 || probes != 1 {
		t.Errorf("PLPMTU %d after %d probes", d.PLPMTU(), probes)
	}
}

// TestRefusedSizes: the kernel refuses what is larger, with an error that does not say
// so. The search ends at what passes, after few probes.
func TestRefusedSizes(t *testing.T) {
	for _, mtu := range []int{1280, 1400, 1496} {
		d := New(Config{})
		now := time.Unix(1000, 0)
		d.NewSA(new(SentLog))
		d.NewEndpoint(Endpoint{EgressMTU: 1500}, now)
		d.SeedRTT(20 * time.Millisecond)
		refused := 0
		answer(d, now, 4*time.Second, func(a Action) bool {
			if a.Size > mtu {
				d.ProbeRefused(a.ID)
				refused++
			}
			return a.Size <= mtu
		})
		if d.PLPMTU() != mtu || d.State() != SearchComplete || refused > 40 {
			t.Errorf("path of %d: PLPMTU %d, %v, %d refusals", mtu, d.PLPMTU(), d.State(), refused)
		}
	}
}

// TestARefusalOfAllIsAnOutage: it says nothing of sizes, and asks the kernel rarely.
func TestARefusalOfAllIsAnOutage(t *testing.T) {
	d, now := rested(t)
	d.Confirm()
	sent := 0
	for end := now.Add(10 * time.Second); now.Before(end); now = now.Add(time.Millisecond) {
		for _, a := range d.Poll(nil, now) {
			d.ProbeRefused(a.ID)
			sent++
		}
	}
	if d.PLPMTU() != 1500 || sent > 50 {
		t.Errorf("PLPMTU %d after %d probes", d.PLPMTU(), sent)
	}
}

// TestCopiesShareTheFan: with several packets a probe, a fan has no more packets and bytes
// than Copies says, in all of a path's life, however much is lost. The model fails where
// one has.
func TestCopiesShareTheFan(t *testing.T) {
	for _, egress := range []int{1500, 9000} {
		for copies := 1; copies <= 4; copies++ {
			for _, loss := range []float64{0, 0.05, 0.3} {
				m := newPath(egress)
				m.d.Copies(copies)
				m.loss = loss
				exact := func() bool { return m.d.PLPMTU() == m.exact() && m.d.Settled() }
				ends := func(what string) {
					if !m.run(time.Hour, exact) || m.trouble != "" {
						t.Errorf("%s, %d copies, egress %d, loss %v: PLPMTU %d of %d, %v, %s",
							what, copies, egress, loss, m.d.PLPMTU(), m.exact(), m.d.State(), m.trouble)
					}
				}
				m.begin(egress)
				ends("the start")
				m.mtu -= 120
				m.run(time.Minute, m.d.Confirm) // once no fan is under way
				ends("a smaller path")
				m.d.blackHole(m.now)
				ends("a false alarm")
			}
		}
	}
}

// TestHalvesStayHalves: what has harmed, harms less with several packets a probe, too.
func TestHalvesStayHalves(t *testing.T) {
	for _, tc := range []struct {
		copies   int
		of, want budget
	}{
		{1, budget{10, 14720}, budget{10, 14720}},
		{2, budget{10, 14720}, budget{5, 7360}},
		{4, budget{10, 14720}, budget{minFan, 3680}},
		{2, budget{5, 7360}, budget{minFan, 3680}},
		{4, budget{5, 7360}, budget{minFan, 1840}},
		{4, budget{10, 90000}, budget{minFan, 22500}},
	} {
		if got := tc.of.each(tc.copies); got != tc.want {
			t.Errorf("%+v of %d copies each: %+v, want %+v", tc.of, tc.copies, got, tc.want)
		}
	}
}
