package pmtud

import (
	"testing"
	"time"
)

func TestProbesAreFoundByTheirID(t *testing.T) {
	var p probes
	p.generation = 1
	old := p.add(1, 1500, epochStart)
	p.generation++
	first := p.add(1, 1400, epochStart)
	second := p.add(1, 1300, epochStart)
	for _, tc := range []struct {
		name string
		id   uint64
		size int // 0: not found
	}{
		{"the first of this generation", first, 1400},
		{"the second", second, 1300},
		{"one of an earlier generation", old, 0},
		{"one never sent", second + 1, 0},
		{"one of a later generation", first + 1<<32, 0},
		{"another with the same place in memory", first + rememberedProbes, 0},
	} {
		found := p.find(tc.id)
		if size := 0; found != nil {
			if size = found.Size; size != tc.size {
				t.Errorf("%s has %d bytes, want %d", tc.name, size, tc.size)
			}
		} else if tc.size != 0 {
			t.Errorf("%s is not found", tc.name)
		}
	}
	for range rememberedProbes {
		p.add(2, 1228, epochStart)
	}
	if p.find(first) != nil {
		t.Error("one too long ago is found")
	}
}

func TestAProbeIsAnsweredOnce(t *testing.T) {
	for _, tc := range []struct {
		before      Outcome
		inFragments bool
		counts      bool
		after       Outcome
	}{
		{Waiting, false, true, Passed},
		{Waiting, true, true, Fragmented},
		{Lost, false, true, Passed},
		{Lost, true, true, Fragmented},
		{Passed, true, false, Passed},
		{Fragmented, false, false, Fragmented},
		{Unsent, false, false, Unsent},
	} {
		p := probe{ProbeRecord: ProbeRecord{Sent: epochStart, Outcome: tc.before}}
		counts := p.answer(tc.inFragments, epochStart.Add(time.Second))
		if counts != tc.counts || p.Outcome != tc.after || counts && p.After != time.Second {
			t.Errorf("%v, in fragments %v: counts %v, %v after %v", tc.before, tc.inFragments, counts, p.Outcome, p.After)
		}
	}
}

func TestEachProbeHasARecord(t *testing.T) {
	m := newPath(1400)
	m.begin(1500)
	m.run(time.Second, func() bool { return m.d.State() == SearchComplete })
	all := m.d.ProbeRecords()
	if len(all) != m.probes {
		t.Fatalf("%d records of %d probes", len(all), m.probes)
	}
	for i, s := range all {
		want := ProbeRecord{Fan: s.Fan, Size: s.Size, Sent: s.Sent, Outcome: Lost}
		if s.Size <= 1400 {
			want.Outcome, want.After = Passed, m.rtt()
		}
		if s != want {
			t.Errorf("%d: %+v, want %+v", i, s, want)
		}
		if i > 0 && (s.Fan < all[i-1].Fan || s.Sent.Before(all[i-1].Sent)) {
			t.Errorf("%d is out of order", i)
		}
	}
}
