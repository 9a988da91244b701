package pmtud

import (
	"strings"
	"testing"
	"time"
)

// reported sends packets as drawn, oldest first, and takes in the report of
// the request that follows them: a capital letter arrived and a small one is
// lost; L is of the PLPMTU, M of 1300 bytes, S of 100 and P a probe above the PLPMTU.
func reported(d *Discovery, log *SentLog, drawn string, now time.Time) {
	var bits [16]uint64
	first := log.highest.Load() + 1
	n := uint32(0)
	for _, c := range drawn {
		size := map[string]int{"L": 1400, "M": 1300, "S": 100, "P": 1500}[strings.ToUpper(string(c))]
		log.Record(first+n, size, 0, true)
		n++
	}
	var id uint64
	for _, a := range d.Poll(nil, now) {
		if a.Kind == SendReportRequest {
			id = a.ID
		}
	}
	request := first + n
	log.Record(request, 100, 0, false)
	bits[0] = 1
	for i, c := range drawn {
		back := request - first - uint32(i)
		if c < 'a' {
			bits[back/64] |= 1 << (back % 64)
		}
	}
	d.Report(id, request, bits[:], now.Add(20*time.Millisecond))
}

func TestLostPacketsRaiseSuspicion(t *testing.T) {
	for _, tc := range []struct {
		name, drawn string
		prepare     func(d *Discovery, log *SentLog)
		want        State
	}{
		{"large packets lost while small ones arrive", "LLSLllSlSlSSS", nil, Base},
		{"large packets lost while medium ones arrive", "LLMLllMlMlMSS", nil, Base},
		{"many large packets lost before the request alone", "LLLL" + strings.Repeat("l", 15), nil, Base},
		{"two large packets lost", "LLSLlSlSSSSS", nil, SearchComplete},
		{"the newest packets lost, which may only be late", "LLLLLSSlSll", nil, SearchComplete},
		{"large packets lost before one that arrived", "lllllSSSLSSSS", nil, SearchComplete},
		{"large and small packets lost alike", "LLLL" + strings.Repeat("llls", 6) + "ss", nil, SearchComplete},
		{"medium packets lost while large ones arrive", "LmLmLmLmLmLSSS", nil, SearchComplete},
		{"probes lost", "LLpSpSpSpSSSS", nil, SearchComplete},
		{"nothing lost", "LLLLSSSSLLLLS", nil, SearchComplete},
		{"three large ones after a false alarm", "LLSLllSlSSSSS", func(d *Discovery, _ *SentLog) {
			d.detector.widen()
			d.detector.calm = epochStart.Add(time.Hour)
		}, SearchComplete},
		{"large packets lost that were sent before the PLPMTU changed", "LLSLllSlSSSSS", func(d *Discovery, log *SentLog) {
			d.detector.epoch = log.highest.Load() + 13
		}, SearchComplete},
	} {
		t.Run(tc.name, func(t *testing.T) {
			m := complete(t, 1400, 1500)
			m.newSA()
			if tc.prepare != nil {
				tc.prepare(m.d, m.log)
			}
			reported(m.d, m.log, tc.drawn, m.now.Add(time.Millisecond))
			if m.d.State() != tc.want {
				t.Errorf("%s: state is %v, want %v", tc.drawn, m.d.State(), tc.want)
			}
		})
	}
}

func TestAChangedPLPMTUDropsEarlierEvidence(t *testing.T) {
	m := complete(t, 1500, 1500)
	m.flowing(time.Millisecond, 100*time.Millisecond)
	m.d.EgressMTU(1400, m.now)
	if m.d.detector.epoch != m.log.highest.Load() || m.d.detector.epoch == 0 {
		t.Errorf("epoch is %d, sent are %d", m.d.detector.epoch, m.log.highest.Load())
	}
}

func TestAReportOfAFormerSAIsForgotten(t *testing.T) {
	m := complete(t, 1400, 1500)
	m.newSA()
	for seq := range uint32(20) {
		m.log.Record(seq+1, 1400, 0, true)
	}
	m.now = m.now.Add(time.Millisecond)
	actions := m.d.Poll(nil, m.now)
	if len(actions) != 1 || actions[0].Kind != SendReportRequest {
		t.Fatalf("actions %v", actions)
	}
	m.log.Record(21, 100, 0, false)
	m.log.Record(22, 1400, 0, true)
	m.log.Record(23, 1400, 0, true)
	m.now = m.now.Add(time.Second)
	if again := m.d.Poll(nil, m.now.Add(time.Second)); len(again) != 1 {
		t.Fatalf("actions %v", again)
	}
	m.newSA()
	m.d.Report(actions[0].ID, 21, []uint64{1}, m.now)
	if m.d.State() != SearchComplete {
		t.Errorf("state is %v", m.d.State())
	}
}

func TestNothingBelowMinConfirms(t *testing.T) {
	m := newPath(1500)
	m.begin(1500)
	m.d.acked(572, m.now)
	if m.d.search.lo != 0 || m.d.State() != Base {
		t.Errorf("572 bytes confirm %d in %v", m.d.search.lo, m.d.State())
	}
}

func TestARoundWaitsForLateAnswersOnceTheyWereSeen(t *testing.T) {
	m := newPath(1500)
	m.begin(1500)
	fan := m.d.Poll(nil, m.now)
	m.now = m.now.Add(m.rtt())
	m.d.Ack(fan[len(fan)-1].ID, false, m.now) // the sentinel overtakes all
	if m.d.round.open {
		t.Fatal("the first fan waits for late answers")
	}
	m.d.Ack(fan[3].ID, false, m.now.Add(time.Millisecond))
	if m.d.PLPMTU() != fan[3].Size {
		t.Errorf("a late answer does not count: %d", m.d.PLPMTU())
	}
	fan = m.d.Poll(nil, m.now.Add(time.Millisecond))
	m.now = m.now.Add(m.rtt() + time.Millisecond)
	m.d.Ack(fan[len(fan)-1].ID, false, m.now)
	if !m.d.round.open || m.d.Deadline().Sub(m.now) > m.rtt()/2 {
		t.Errorf("open %v, closes in %v", m.d.round.open, m.d.Deadline().Sub(m.now))
	}
}

func TestAFalseAlarmAsksForMoreEvidence(t *testing.T) {
	m := complete(t, 1400, 1500)
	for _, want := range []int{2, 4, 8, 8} {
		m.d.blackHole(m.now)
		m.run(time.Second, func() bool { return m.d.State() == SearchComplete })
		if m.d.PLPMTU() != 1400 || m.d.detector.factor != want {
			t.Errorf("PLPMTU is %d, the factor %d, want %d", m.d.PLPMTU(), m.d.detector.factor, want)
		}
	}
	m.mtu = 1300
	m.d.blackHole(m.now)
	m.run(time.Second, func() bool { return m.d.State() == SearchComplete })
	if m.d.PLPMTU() != 1300 || m.d.detector.factor != 1 {
		t.Errorf("after a true alarm: PLPMTU is %d, the factor %d", m.d.PLPMTU(), m.d.detector.factor)
	}
}

func TestALossyPathAsksForMoreFailures(t *testing.T) {
	m := complete(t, 1400, 1500)
	m.d.raise(m.now)
	for count := 1; m.d.State() == Searching; count++ {
		m.d.search.lossy = true
		m.d.search.failed(1404)
		m.d.decide(m.now)
		if done := m.d.State() == SearchComplete; done != (count == m.d.cfg.MaxProbes+extraProbes) {
			t.Fatalf("after %d failures: %v", count, m.d.State())
		}
	}
}

func TestFansAreARoundTripApart(t *testing.T) {
	m := newPath(1400)
	m.d.NewEndpoint(Endpoint{EgressMTU: 1500}, m.now)
	m.d.SeedRTT(10 * m.rtt()) // answers come sooner than the estimate says
	begun := m.now
	m.run(time.Minute, func() bool { return m.fans == 2 })
	if apart := m.now.Sub(begun); apart < m.d.rtt.smoothed || apart < 3*m.rtt() {
		t.Errorf("two fans within %v at an estimate of %v", apart, m.d.rtt.smoothed)
	}
}

func TestAFalseAlarmPutsNoRaiseOff(t *testing.T) {
	m := complete(t, 1400, 1500)
	due := m.d.raiser.at
	m.run(time.Second, nil)
	m.d.blackHole(m.now)
	m.run(time.Second, func() bool { return m.d.State() == SearchComplete })
	if m.d.PLPMTU() != 1400 || !m.d.raiser.at.Equal(due) || due.IsZero() {
		t.Errorf("PLPMTU is %d, the raise is put off by %v", m.d.PLPMTU(), m.d.raiser.at.Sub(due))
	}
}
