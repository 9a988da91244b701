package pmtud

import (
	"math/rand/v2"
	"testing"
	"time"
)

func TestATrialIsJudged(t *testing.T) {
	of := func(size int, sent, events, losses, goodput float64) record {
		return record{size: size, large: class{sent: sent, events: events, losses: losses}, goodput: goodput}
	}
	for _, tc := range []struct {
		name    string
		was, is record
		lasted  time.Duration
		want    verdict
	}{
		{"no packet yet", of(1500, 1000, 16, 16, 1e6), of(1228, 0, 0, 0, 0), time.Second, undecided},
		{"half are lost, and then none", of(1500, 30, 5, 15, 1e4), of(1228, 200, 0, 0, 5e6), time.Second, better},
		{"half are lost, and then half", of(1500, 30, 5, 15, 1e4), of(1228, 90, 22, 45, 1e4), time.Second, noBetter},
		{"one in a hundred is lost, and then none, and more is sent", of(1500, 1600, 16, 16, 5e5), of(1228, 2000, 0, 0, 2e6), time.Second, better},
		{"few packets without a loss", of(1500, 1600, 16, 16, 5e5), of(1228, 300, 0, 0, 2e6), time.Second, undecided},
		{"fewer losses, no more is sent yet", of(1500, 1600, 16, 16, 5e5), of(1228, 3000, 0, 0, 5e5), time.Second, undecided},
		{"fewer losses, no more is sent", of(1500, 1600, 16, 16, 5e5), of(1228, 3000, 0, 0, 5e5), trialTime, noBetter},
		{"as many losses", of(1500, 1600, 16, 16, 5e5), of(1228, 2400, 24, 24, 5e5), time.Second, noBetter},
		{"as many fewer losses as TCP has that fills a path", of(1500, 16000, 16, 16, 1.2e6), of(1228, 60000, 40, 40, 1.2e6), time.Second, noBetter},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := judge(tc.was, tc.is, tc.lasted); got != tc.want {
				t.Errorf("verdict %d, want %d", got, tc.want)
			}
		})
	}
	lost, passes := of(1500, 1600, 16, 16, 5e5), of(1228, 9000, 0, 0, 2e6)
	if judgeLarger(lost, passes, of(1400, 2000, 0, 0, 2.1e6), time.Second) != better {
		t.Error("a larger size that passes is not better")
	}
	if judgeLarger(lost, passes, of(1400, 2000, 0, 0, 1e6), trialTime) != noBetter {
		t.Error("a larger size with which less arrives is better")
	}
	if is := of(1400, 500, 1, 1, 1e6); judgeLarger(lost, passes, is, time.Second) != undecided || judgeLarger(lost, passes, is, largerTime) != noBetter {
		t.Error("a larger size with which less arrives stays on trial for want of losses")
	}
}

// TestLossOfAllSizesIsNoSign counts the signs that loss by chance gives, in a million
// packets each.
func TestLossOfAllSizesIsNoSign(t *testing.T) {
	for _, loss := range []float64{0.001, 0.01, 0.1} {
		for _, small := range []float64{0.02, 0.2, 0.5} {
			rng := rand.New(rand.NewPCG(1, uint64(1e6*loss+1e3*small)))
			var d deliveries
			d.begin(1500, 0)
			now, crossings, above := epochStart, 0, false
			const packets, each = 1_000_000, 20
			losses := 0
			for range packets / each {
				for range each {
					size := 1500
					if rng.Float64() < small {
						size = 100
					}
					lost := rng.Float64() < loss
					if lost {
						losses++
					}
					d.count(size, false, !lost)
				}
				now = now.Add(20 * time.Millisecond)
				d.report(now, 20*time.Millisecond, 20*time.Millisecond)
				if d.score >= strong && !above {
					crossings++
				}
				above = d.score >= strong
			}
			t.Logf("%5.1f %% lost, %2.0f %% small: %d crossings in %d losses", 100*loss, 100*small, crossings, losses)
			if limit := losses/10_000 + 1; crossings > limit { // Lorden's bound: one in e^strong losses
				t.Errorf("%d crossings, want at most %d", crossings, limit)
			}
		}
	}
}

// TestLossBySizeIsASign: the larger the share of small packets, the sooner.
func TestLossBySizeIsASign(t *testing.T) {
	for _, small := range []float64{0.1, 0.2, 0.5} {
		rng := rand.New(rand.NewPCG(2, uint64(1e3*small)))
		var d deliveries
		d.begin(1500, 0)
		losses := 0
		for now := epochStart; d.score < strong && losses < 1000; {
			for range 20 {
				if rng.Float64() < small {
					d.count(100, false, true)
				} else if rng.Float64() < 0.02 {
					losses++
					d.count(1500, false, false)
				} else {
					d.count(1500, false, true)
				}
			}
			now = now.Add(20 * time.Millisecond)
			d.report(now, 20*time.Millisecond, 20*time.Millisecond)
		}
		t.Logf("%2.0f %% small: after %d losses", 100*small, losses)
		if losses > 160 {
			t.Errorf("%d losses", losses)
		}
	}
}

// TestProbesAreNoDelivery: probes of the PLPMTU that pass say nothing of data.
func TestProbesAreNoDelivery(t *testing.T) {
	var d deliveries
	d.begin(1500, 0)
	for range 5 {
		d.count(1500, false, false)
		d.count(1500, true, true)
	}
	d.count(100, true, true)
	d.report(epochStart, time.Millisecond, time.Millisecond)
	if d.run != 5 || d.large.sent != 5 || d.small.sent != 1 || d.payload != 0 {
		t.Errorf("%+v", d)
	}
}

// TestAFullQueueIsNoSign: large packets are lost as often, in the one case while the
// round trip is longer than it was.
func TestAFullQueueIsNoSign(t *testing.T) {
	const srtt = 30 * time.Millisecond
	for _, tc := range []struct {
		name string
		wait time.Duration // in a queue, where packets are lost
		want bool
	}{
		{"no queue", 0, true},
		{"a host that hesitates", time.Millisecond, true},
		{"a queue", 8 * time.Millisecond, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(3, 3))
			var d deliveries
			d.begin(1500, 0)
			got := false
			for i := range 2000 {
				lost := rng.IntN(10) == 0
				for k := range 20 {
					d.count(1500, false, !lost || k > 0)
				}
				sample := srtt
				if lost {
					sample += tc.wait
				}
				d.report(epochStart.Add(time.Duration(i)*srtt), srtt, sample)
				got = got || d.suspicious(10, srtt, false, 0)
			}
			if got != tc.want {
				t.Errorf("suspicious: %v", got)
			}
		})
	}
}

// TestLossInARhythmIsNoSign: large packets are lost as often, in the one case by
// chance, and in the others as congestion would.
func TestLossInARhythmIsNoSign(t *testing.T) {
	const srtt = 30 * time.Millisecond
	rng := rand.New(rand.NewPCG(4, 4))
	for _, tc := range []struct {
		name string
		next func() int // packets until the next loss
		want bool
	}{
		{"by chance", func() int { return 1 + int(rng.ExpFloat64()*100) }, true},
		{"each hundredth", func() int { return 100 }, false},
		{"after 60 to 140", func() int { return 60 + rng.IntN(81) }, false},
		{"after one to 300", func() int { return 1 + rng.IntN(300) }, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var d deliveries
			d.begin(1500, 0)
			got, next := false, tc.next()
			for i := range 5000 {
				for range 10 {
					next--
					d.count(1500, false, next > 0)
					if next == 0 {
						next = tc.next()
					}
				}
				d.report(epochStart.Add(time.Duration(i)*srtt), srtt, srtt)
				got = got || d.suspicious(100, srtt, false, 0)
			}
			if got != tc.want {
				t.Errorf("suspicious: %v", got)
			}
		})
	}
}

// TestLossThatIsExcused: a trial has shown that as much is not lost for its size. Far
// more or less may be.
func TestLossThatIsExcused(t *testing.T) {
	const srtt = 30 * time.Millisecond
	for _, tc := range []struct {
		excused float64
		want    bool
	}{
		{0, true}, {0.001, true}, {0.008, false}, {0.01, false}, {0.012, false}, {0.05, true},
	} {
		rng := rand.New(rand.NewPCG(5, 5))
		var d deliveries
		d.begin(1500, 0)
		got := false
		for i := range 3000 {
			for range 10 {
				d.count(1500, false, rng.IntN(100) > 0)
			}
			d.report(epochStart.Add(time.Duration(i)*srtt), srtt, srtt)
			got = got || d.suspicious(100, srtt, false, tc.excused)
		}
		if got != tc.want {
			t.Errorf("with %v of the packets excused: suspicious %v", tc.excused, got)
		}
	}
}
