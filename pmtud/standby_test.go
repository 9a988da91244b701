package pmtud

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"fathom/test/tier"
)

// A duo is two paths to one peer, of which one is in use. They share the SA.
type duo struct {
	paths [2]*model
	inUse int
}

// simStep is how far the paths live one after the other.
const simStep = 250 * time.Microsecond

// alike are the delays of two paths, one way.
var alike = [2]time.Duration{10 * time.Millisecond, 10 * time.Millisecond}

// newDuo makes two paths, the second of which stands by.
func newDuo(rng *rand.Rand, mtus [2]int, delays [2]time.Duration, egress int) *duo {
	w, cfg := new(duo), Config{}
	for i := range w.paths {
		cfg.Path = uint16(i + 1)
		m := newModel(cfg, rng)
		m.mtu, m.delay = mtus[i], delays[i]
		w.paths[i] = m
	}
	standby := w.other()
	standby.simSA, standby.d = w.used().simSA, New(cfg) // which has never seen an SA
	standby.d.StandBy()
	for _, m := range w.paths {
		m.d.NewEndpoint(Endpoint{EgressMTU: egress}, m.now)
		m.d.SeedRTT(m.rtt())
	}
	return w
}

func (w *duo) used() *model { return w.paths[w.inUse] }

// other is the path that stands by.
func (w *duo) other() *model { return w.paths[1-w.inUse] }

// run lets both live.
func (w *duo) run(d time.Duration) {
	for end := w.used().now.Add(d); w.used().now.Before(end) && w.trouble() == ""; {
		step := min(simStep, end.Sub(w.used().now))
		if w.used().data == 0 { // then they have nothing to do with each other
			step = end.Sub(w.used().now)
		}
		w.used().run(step, nil)
		w.other().run(step, nil)
	}
}

// until lets both live until the condition holds.
func (w *duo) until(limit time.Duration, holds func() bool) bool {
	for end := w.used().now.Add(limit); w.used().now.Before(end) && w.trouble() == "" && !holds(); {
		w.used().run(simStep, nil)
		w.other().run(simStep, nil)
	}
	return holds()
}

// swap puts the other path in use.
func (w *duo) swap() {
	from, to := w.used(), w.other()
	w.inUse = 1 - w.inUse
	to.d.Replace(from.d, to.rtt(), to.now)
	to.data, to.nextData = from.data, to.now
	from.data = 0
}

func (w *duo) trouble() string {
	for i, m := range w.paths {
		if m.trouble != "" {
			return fmt.Sprintf("path %d: %s", i, m.trouble)
		}
	}
	return ""
}

// causes returns those of the changes of the PLPMTU in use.
func (w *duo) causes() (all []Cause) {
	for _, e := range w.used().d.History() {
		all = append(all, e.Cause)
	}
	return all
}

// searched returns two paths both of which are known.
func searched(t *testing.T, mtus [2]int, egress int) *duo {
	t.Helper()
	w := newDuo(rand.New(rand.NewPCG(1, 2)), mtus, alike, egress)
	w.run(time.Second)
	for i, m := range w.paths {
		if m.d.PLPMTU() != m.exact() || !m.d.Settled() {
			t.Fatalf("path %d: %d of %d, %v", i, m.d.PLPMTU(), m.exact(), m.d.State())
		}
	}
	return w
}

// TestTheFirstPacketsAfterASwitchFit, whatever became of the former path.
func TestTheFirstPacketsAfterASwitchFit(t *testing.T) {
	for _, mtus := range [][2]int{{1500, 1358}, {1358, 1500}, {1500, 1500}, {1500, 1000}, {576, 1500}} {
		for _, dies := range []bool{false, true} {
			t.Run(fmt.Sprint(mtus, dies), func(t *testing.T) {
				w := searched(t, mtus, 1500)
				w.used().data, w.used().nextData = time.Millisecond, w.used().now
				for range 6 {
					w.run(300 * time.Millisecond)
					if dies {
						w.used().down = true
						w.used().d.Doubt(true) // by the signs that would lead to a suspicion
						w.run(2 * w.used().rtt())
					}
					w.swap()
					if m := w.used(); m.d.PLPMTU() != m.exact() {
						t.Fatalf("PLPMTU %d of %d at the switch", m.d.PLPMTU(), m.exact())
					}
					w.run(100 * time.Millisecond)
					w.other().down = false
				}
				for i, m := range w.paths {
					if m.tooLong > 0 {
						t.Errorf("path %d: %d packets were too long", i, m.tooLong)
					}
				}
				if c := w.causes(); slices.Contains(c, CauseBlackHole) {
					t.Errorf("%v", c)
				}
				if s := w.trouble(); s != "" {
					t.Error(s)
				}
			})
		}
	}
}

// TestAnswersStayLateForAWhile: where a host is busy they are late by any path. That is
// not forgotten with the former path, but soon afterwards if it is not true any more.
func TestAnswersStayLateForAWhile(t *testing.T) {
	w := searched(t, [2]int{1500, 1358}, 1500)
	const late = 50 * time.Millisecond
	w.used().d.rtt.variance = late
	w.swap()
	d := w.used().d
	if got := d.rtt.timeout(); got != w.used().rtt()+4*late {
		t.Errorf("waits for %v after the switch", got)
	}
	w.used().data, w.used().nextData = time.Millisecond, w.used().now
	w.run(time.Second)
	if got := d.rtt.timeout(); got > 2*w.used().rtt() {
		t.Errorf("waits for %v though answers come after %v", got, w.used().rtt())
	}
}

// TestAPathThatShrankStandingByIsFoundOut by the first fan, which may be lost once.
func TestAPathThatShrankStandingByIsFoundOut(t *testing.T) {
	w := searched(t, [2]int{1500, 1500}, 1500)
	w.other().mtu = 1400
	w.used().data, w.used().nextData = time.Millisecond, w.used().now
	w.run(100 * time.Millisecond)
	w.swap()
	at := w.used().now
	if !w.until(time.Second, func() bool { return w.used().d.PLPMTU() <= 1400 }) || w.used().now.Sub(at) > 3*w.used().rtt() {
		t.Errorf("PLPMTU %d after %v", w.used().d.PLPMTU(), w.used().now.Sub(at))
	}
	w.run(time.Second)
	if m := w.used(); m.d.PLPMTU() != 1400 || !m.d.Settled() {
		t.Errorf("PLPMTU %d, settled: %v", m.d.PLPMTU(), m.d.Settled())
	}
}

// TestAPathThatShrinksStandingByIsNoticed at the raise timer, and so is growth.
func TestAPathThatShrinksStandingByIsNoticed(t *testing.T) {
	w := searched(t, [2]int{1500, 1500}, 1500)
	for _, mtu := range []int{1400, 1200, 1500, 576, 1400, 1500} {
		w.other().mtu = mtu
		w.run(3 * defaultRaise)
		if m := w.other(); m.d.PLPMTU() != m.exact() {
			t.Errorf("PLPMTU %d of %d", m.d.PLPMTU(), m.exact())
		}
	}
	if n := len(w.used().d.History()); n != 1 { // the first search
		t.Errorf("the history of the path in use has %v", w.used().d.History())
	}
}

// TestOldKnowledgeIsNotTrusted: the search begins anew, and is soon over.
func TestOldKnowledgeIsNotTrusted(t *testing.T) {
	for _, mtu := range []int{1400, 1300} {
		w := searched(t, [2]int{1500, 1400}, 1500)
		w.used().run(2*defaultRaise, nil) // nobody polls the other
		w.other().now, w.other().mtu = w.used().now, mtu
		w.swap()
		m := w.used()
		if m.d.PLPMTU() != m.d.search.grid.base {
			t.Errorf("PLPMTU %d at the switch", m.d.PLPMTU())
		}
		at := m.now
		w.until(time.Second, func() bool { return m.d.PLPMTU() == m.exact() })
		took := float64(m.now.Sub(at)) / float64(m.rtt())
		if m.d.PLPMTU() != m.exact() || mtu == 1400 && took > 1.1 || took > 5 {
			t.Errorf("path of %d: PLPMTU %d after %.2f round trips", mtu, m.d.PLPMTU(), took)
		}
		if c := w.causes(); c[len(c)-1] == CauseBlackHole {
			t.Errorf("%v", c)
		}
	}
}

// TestAStandbyIsProbedRarely, asks for nothing and keeps no room for requests.
func TestAStandbyIsProbedRarely(t *testing.T) {
	for _, tc := range []struct {
		name   string
		mtu    int
		silent bool
		probes int // in an hour
	}{
		{"at its largest", 1500, false, 6 * 4},
		{"below", 1358, false, 6 * (4 + 2*fanPackets)},
		{"that answers nothing", 1500, true, 7 * 3 * fanPackets},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newDuo(rand.New(rand.NewPCG(1, 2)), [2]int{1500, tc.mtu}, alike, 1500)
			m := w.other()
			m.silent = tc.silent
			w.run(time.Second)
			if tc.silent {
				w.run(10 * time.Second)
			}
			m.probes = 0
			w.run(time.Hour)
			t.Logf("%d probes in an hour", m.probes)
			if m.probes > tc.probes || m.requests > 0 || m.d.requests.sent != nil {
				t.Errorf("%d probes, %d requests", m.probes, m.requests)
			}
		})
	}
}

// TestOthersPacketsAccuseNobody: all that was sent by the former path is lost, some of
// it after the switch.
func TestOthersPacketsAccuseNobody(t *testing.T) {
	w := searched(t, [2]int{1500, 1500}, 1500)
	w.used().data, w.used().nextData = time.Millisecond, w.used().now
	w.run(100 * time.Millisecond)
	former := w.used()
	former.down = true
	former.d.Doubt(true)
	w.run(5 * time.Millisecond)
	w.swap()
	for range 100 {
		for range 3 {
			former.send(1500, true) // a packet loop has loaded the path before
		}
		w.run(time.Millisecond)
	}
	if c := w.causes(); slices.Contains(c, CauseBlackHole) {
		t.Errorf("%v", c)
	}
}

// TestWhatWasLostByAPathBeforeItReturnsAccusesNobody, though only small packets follow.
func TestWhatWasLostByAPathBeforeItReturnsAccusesNobody(t *testing.T) {
	w := searched(t, [2]int{1500, 1500}, 1500)
	w.used().data, w.used().nextData = time.Millisecond, w.used().now
	w.run(100 * time.Millisecond)
	for _, m := range w.paths {
		m.small = 1
	}
	former := w.used()
	former.down = true
	former.d.Doubt(true)
	for range 20 {
		former.send(1500, true)
	}
	w.swap()
	w.run(50 * time.Millisecond)
	former.down = false
	w.swap()
	w.run(time.Second)
	if l := w.used().d.Loss(); l > 0 {
		t.Errorf("it counts as a loss of %.3f", l)
	}
	if c := w.causes(); slices.Contains(c, CauseBlackHole) {
		t.Errorf("%v", c)
	}
}

// TestTheFirstFanMayLoseAcks, of the largest only: those that left before the peer
// went over.
func TestTheFirstFanMayLoseAcks(t *testing.T) {
	w := searched(t, [2]int{1500, 1358}, 1500)
	w.swap()
	m := w.used()
	for round := range 2 {
		for _, a := range m.d.Poll(nil, m.now) {
			if round > 0 || a.Size < 1356 {
				m.d.Ack(a.ID, false, m.now.Add(m.rtt()))
			}
		}
		m.now = m.now.Add(m.rtt())
		m.d.Poll(nil, m.now)
		m.now = m.now.Add(m.rtt())
	}
	if c := w.causes(); slices.Contains(c, CauseBlackHole) || m.d.PLPMTU() != 1356 {
		t.Errorf("PLPMTU %d, %v", m.d.PLPMTU(), c)
	}
}

// TestAPathThatWorksAfterAllIsConfirmed: a pause of everything is no black hole if the
// caller finds out that the path works.
func TestAPathThatWorksAfterAllIsConfirmed(t *testing.T) {
	w := searched(t, [2]int{1500, 1500}, 1500)
	m := w.used()
	m.data, m.nextData = time.Millisecond, m.now
	w.run(100 * time.Millisecond)
	m.down = true
	m.d.Doubt(true)
	w.run(200 * time.Millisecond)
	m.down = false
	probes := m.probes
	m.d.Doubt(false)
	w.run(time.Second)
	if c := w.causes(); slices.Contains(c, CauseBlackHole) || m.probes == probes {
		t.Errorf("%v, %d probes", c, m.probes-probes)
	}
}

// TestAPendingConfirmationDoesNotOutliveASwitch: the path that was to be confirmed stands
// by from now on, and is verified as any other that does.
func TestAPendingConfirmationDoesNotOutliveASwitch(t *testing.T) {
	w := searched(t, [2]int{1500, 1500}, 1500)
	if !w.used().d.Confirm() {
		t.Fatal("it is not done")
	}
	w.swap()
	w.run(2 * defaultRaise)
	m := w.other()
	if m.d.Deadline().IsZero() {
		t.Error("nothing is due any more")
	}
	m.mtu = 1400
	w.run(defaultRaise + time.Minute)
	if m.d.PLPMTU() != 1400 {
		t.Errorf("PLPMTU %d of 1400", m.d.PLPMTU())
	}
}

// TestABlackHoleAfterASwitchIsNoticed as ever.
func TestABlackHoleAfterASwitchIsNoticed(t *testing.T) {
	w := searched(t, [2]int{1500, 1500}, 1500)
	w.used().data, w.used().nextData = time.Millisecond, w.used().now
	w.run(100 * time.Millisecond)
	w.swap()
	w.run(500 * time.Millisecond)
	w.used().mtu = 1400
	at := w.used().now
	if !w.until(time.Second, func() bool { return w.used().d.PLPMTU() <= 1400 }) || w.used().now.Sub(at) > 5*w.used().rtt() {
		t.Errorf("PLPMTU %d after %v", w.used().d.PLPMTU(), w.used().now.Sub(at))
	}
	w.run(time.Second)
	if c := w.causes(); w.used().d.PLPMTU() != 1400 || !slices.Contains(c, CauseBlackHole) {
		t.Errorf("PLPMTU %d, %v", w.used().d.PLPMTU(), c)
	}
}

// alternate lets two random paths take turns, and asserts that no packet is too long
// and nothing is suspected.
func alternate(seed uint64, trace func(string, ...any)) (trouble string, switches int) {
	rng := rand.New(rand.NewPCG(seed, 0x1358))
	egress := []int{1500, 1500, 9000}[rng.IntN(3)]
	mtu := func() int { return 576 + rng.IntN(egress-575) }
	delay := func() time.Duration { return time.Duration(1+rng.IntN(100)) * time.Millisecond }
	w := newDuo(rng, [2]int{mtu(), mtu()}, [2]time.Duration{delay(), delay()}, egress)
	for _, m := range w.paths {
		m.trace = trace
	}
	w.run(30 * time.Second)
	w.used().data, w.used().nextData = time.Duration(1+rng.IntN(5))*time.Millisecond, w.used().now
	for range 3 + rng.IntN(6) {
		w.run(time.Duration(rng.ExpFloat64() * float64(w.used().rtt()) * 10))
		if rng.IntN(2) == 0 { // it dies, and that is noticed
			w.used().down = true
			w.used().d.Doubt(true)
			w.run(3 * w.used().rtt())
		}
		w.swap()
		switches++
		if rng.IntN(2) == 0 { // what is lost of the first fan says nothing either
			m := w.used()
			m.silent = true
			m.after(time.Duration(rng.Int64N(int64(m.rtt()))), func() { m.silent = false })
		}
		w.run(time.Duration(rng.ExpFloat64() * float64(w.used().rtt()) * 5))
		w.other().down = false
	}
	for i, m := range w.paths {
		if m.tooLong > 0 {
			return fmt.Sprintf("%d packets were too long for path %d", m.tooLong, i), switches
		}
	}
	if c := w.causes(); slices.Contains(c, CauseBlackHole) {
		return fmt.Sprint(c), switches
	}
	w.used().data = 0
	w.run(2 * defaultRaise)
	for i, m := range w.paths {
		if m.d.PLPMTU() != m.exact() && m.trouble == "" {
			return fmt.Sprintf("path %d: PLPMTU %d of %d in %v", i, m.d.PLPMTU(), m.exact(), m.d.State()), switches
		}
	}
	return w.trouble(), switches
}

func TestManyPairsOfPathsTakeTurns(t *testing.T) {
	tier.Select(t, tier.Long, tier.Native)
	n := 300
	if tier.Full() {
		n = 5_000
	}
	if s := os.Getenv("PMTUD_PATHS"); s != "" {
		n, _ = strconv.Atoi(s)
	}
	seed, failed, switches := seedOf(t), 0, 0
	for i := range uint64(n) {
		trouble, s := alternate(seed+i, nil)
		switches += s
		if trouble == "" {
			continue
		}
		if failed++; failed <= 5 {
			t.Errorf("%s (PMTUD_SEED=%d PMTUD_PATHS=1)", trouble, seed+i)
		}
		if n == 1 {
			alternate(seed, t.Logf)
		}
	}
	tier.Figure(t, "%d switches between two paths, of %d pairs: %d pairs lost a packet for its size, or suspected a black hole", switches, n, failed)
}
