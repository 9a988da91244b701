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

// TestCopiesShareTheFan: it has as many packets as ever.
func TestCopiesShareTheFan(t *testing.T) {
	for copies := 1; copies <= 4; copies++ {
		d := New(Config{})
		d.Copies(copies)
		now := time.Unix(1000, 0)
		d.NewSA(new(SentLog))
		d.NewEndpoint(Endpoint{EgressMTU: 1500}, now)
		d.SeedRTT(20 * time.Millisecond)
		at, fan, largest := time.Time{}, 0, 0
		answer(d, now, 4*time.Second, func(a Action) bool {
			p := d.probes.find(a.ID)
			if p.Sent != at {
				at, fan = p.Sent, 0
			}
			fan += copies
			largest = max(largest, fan)
			return a.Size <= 1400
		})
		if most := max(fanPackets, copies*minFan); d.PLPMTU() != 1400 || largest > most+copies {
			t.Errorf("%d copies: PLPMTU %d, a fan of %d packets", copies, d.PLPMTU(), largest)
		}
	}
}
