package pmtud

import (
	"testing"
	"time"
)

// TestAnEndThatStoodStill waits anew for the answers to a fan, once: what has come
// meanwhile waits to be read. One that is in time, or is late again, does not.
func TestAnEndThatStoodStill(t *testing.T) {
	for _, test := range []struct {
		name  string
		late  []time.Duration // each Poll behind the end of the round
		open  bool            // the round is, after all of them
		heard bool            // its smallest probe was answered before
	}{
		{"in time", []time.Duration{0}, false, true},
		{"hardly late", []time.Duration{stoodStill}, false, true},
		{"late", []time.Duration{300 * time.Millisecond}, true, true},
		{"late, and nothing is heard", []time.Duration{300 * time.Millisecond}, true, false},
		{"late, then in time", []time.Duration{300 * time.Millisecond, 0}, false, true},
		{"always late", []time.Duration{300 * time.Millisecond, 300 * time.Millisecond}, false, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			d := New(Config{})
			now := epochStart
			d.NewEndpoint(Endpoint{EgressMTU: 1500}, now)
			d.SeedRTT(20 * time.Millisecond)
			fan := d.Poll(nil, now)
			if len(fan) < 2 {
				t.Fatalf("a fan of %d probes", len(fan))
			}
			number := d.round.number
			if test.heard {
				d.Ack(fan[len(fan)-2].ID, false, now.Add(20*time.Millisecond))
			}
			for _, late := range test.late {
				now = d.round.closeAt.Add(late)
				d.Poll(nil, now)
			}
			if open := d.round.open && d.round.number == number; open != test.open {
				t.Errorf("the round is open: %v", open)
			}
			if !test.open {
				return
			}
			for _, a := range fan { // now they are read
				d.Ack(a.ID, false, now)
			}
			if d.PLPMTU() != 1500 || d.search.fails.count(1500) > 0 {
				t.Errorf("PLPMTU %d, failures %v", d.PLPMTU(), d.search.fails)
			}
		})
	}
}

// TestAnEndThatStoodStillMissesNoReport likewise.
func TestAnEndThatStoodStillMissesNoReport(t *testing.T) {
	const rtt = 20 * time.Millisecond
	for _, test := range []struct {
		name      string
		late      []time.Duration // each Poll behind the time when silence is a sign
		suspected bool
	}{
		{"in time", []time.Duration{0}, true},
		{"late", []time.Duration{300 * time.Millisecond}, false},
		{"always late", []time.Duration{300 * time.Millisecond, 300 * time.Millisecond}, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			d := New(Config{})
			now := epochStart
			d.NewEndpoint(Endpoint{EgressMTU: 1500}, now)
			log := new(SentLog)
			d.NewSA(log)
			d.SeedRTT(rtt)
			for _, a := range d.Poll(nil, now) {
				d.Ack(a.ID, false, now.Add(rtt))
			}
			if d.State() != SearchComplete {
				t.Fatalf("state %v", d.State())
			}
			seq := uint32(0)
			for at := now.Add(rtt); d.silenceAt().IsZero(); at = at.Add(rtt) {
				if seq > 100 {
					t.Fatal("no requests leave")
				}
				for range 3 {
					seq++
					log.Record(seq, 1500, 0, true)
				}
				d.Poll(nil, at)
			}
			for _, late := range test.late {
				now = d.silenceAt().Add(late)
				d.Poll(nil, now)
			}
			if suspected := d.requests.pending == 0; suspected != test.suspected {
				t.Errorf("suspected: %v", suspected)
			}
		})
	}
}
