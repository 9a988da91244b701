package pmtud

import (
	"testing"
	"time"
)

func TestABitmapSaysWhichPacketsHaveArrived(t *testing.T) {
	b := bitmap{highest: 200, bits: []uint64{1<<0 | 1<<5, 1 << 63}}
	for _, tc := range []struct {
		seq           uint32
		arrived, told bool
	}{
		{200, true, true},
		{199, false, true},
		{195, true, true},
		{136, false, true},
		{73, true, true}, // the last bit
		{72, false, false},
		{0, false, false},
	} {
		if arrived, told := b.has(tc.seq); arrived != tc.arrived || told != tc.told {
			t.Errorf("%d: arrived %v, told %v", tc.seq, arrived, told)
		}
	}
	// The distance does not fit an int of 32 bits.
	if _, told := (bitmap{highest: ^uint32(0), bits: b.bits}).has(1); told {
		t.Error("a number far below the highest is told")
	}
}

func TestADetectorLearns(t *testing.T) {
	// Packets 1 to 10, of 1400 bytes; 3 is small and 6 is a probe.
	q := &request{top: 10, count: 10}
	for i := range q.count {
		q.sizes[i] = 1400
	}
	q.sizes[10-3], q.sizes[10-6] = 100, 1500
	all := func(highest uint32, lost ...uint32) bitmap {
		bits := ^uint64(0)
		for _, seq := range lost {
			bits &^= 1 << (highest - seq)
		}
		return bitmap{highest, []uint64{bits}}
	}
	for _, tc := range []struct {
		name      string
		received  bitmap
		before    detector
		missing   int
		unrelated int
		judged    uint32
		unsettled bool
	}{
		{"that all have arrived", all(11), detector{}, 0, 0, 10, false},
		{"that the last large ones are lost", all(13, 8, 9, 10), detector{}, 3, 0, 10, false},
		{"that a large one arrived after others", all(13, 7, 8), detector{}, 0, 0, 10, false},
		{"nothing of a probe", all(13, 6), detector{}, 0, 0, 10, false},
		{"that a small one is lost", all(13, 2, 3, 4, 5, 7, 8, 9, 10), detector{}, 7, 1, 10, false},
		{"that the newest may still come", all(11, 9, 10), detector{}, 0, 0, 8, true},
		{"that they are lost, an interval later", all(11, 9, 10), detector{settled: 10}, 2, 0, 10, false},
		{"nothing twice", all(13, 8, 9, 10), detector{judged: 9}, 1, 0, 10, false},
		{"nothing from before the PLPMTU changed", all(13, 2, 8, 9, 10), detector{epoch: 8}, 2, 0, 10, false},
		{"nothing without a bitmap", bitmap{highest: 13}, detector{}, 0, 0, 10, false},
		{"nothing of numbers never sent", bitmap{^uint32(0), []uint64{0}}, detector{}, 0, 0, 10, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			v := tc.before
			unsettled := v.learn(q, tc.received, 576, 1400)
			if v.tally.count != tc.missing || v.tally.unrelated != tc.unrelated || v.judged != tc.judged || unsettled != tc.unsettled {
				t.Errorf("%d missing, %d unrelated, up to %d, unsettled %v", v.tally.count, v.tally.unrelated, v.judged, unsettled)
			}
			if v.settled != q.top {
				t.Errorf("settled up to %d", v.settled)
			}
		})
	}
}

func TestADetectorAsksForEvidence(t *testing.T) {
	for _, tc := range []struct {
		name   string
		loss   float64
		factor int
		want   int // large packets lost while one arrived
	}{
		{"of minEvidence packets", 0, 1, minEvidence},
		{"of twice as many after a false alarm", 0, 2, 2 * minEvidence},
		{"of more where much is lost", 0.2, 1, 8},
		{"of no more than half of what it remembers", 0.5, 8, maxEvidence / 2},
	} {
		v := newDetector()
		v.loss, v.factor = tc.loss, tc.factor
		v.tally.lost(1400)
		v.tally.passed(600)
		for !v.suspicious() && v.tally.count < maxEvidence {
			v.tally.lost(1400)
		}
		if v.tally.count != tc.want {
			t.Errorf("%s: suspicious after %d, want %d", tc.name, v.tally.count, tc.want)
		}
	}
}

func TestADetectorRelaxes(t *testing.T) {
	v := newDetector()
	for range 5 {
		v.widen()
	}
	now := epochStart
	v.alarm(now)
	for _, want := range []int{8, 4, 2, 1, 1} {
		if v.relax(now.Add(time.Minute)); v.factor != want {
			t.Errorf("factor %d after %v, want %d", v.factor, now.Sub(epochStart), want)
		}
		now = now.Add(time.Minute + 1)
	}
}
