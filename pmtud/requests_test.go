package pmtud

import (
	"testing"
	"time"
)

func TestARequestIsWorthItsData(t *testing.T) {
	for _, tc := range []struct {
		name            string
		sizes           []int // of the packets since the last request
		deferred        int
		asked           bool
		armed           bool // for the next packet to wake the Discovery
		deferredFurther int
	}{
		{"enough bytes", []int{1400, 1400}, 0, true, true, 0},
		{"enough small packets", []int{500, 500, 500, 500, 500}, 0, true, true, 0},
		{"too few bytes of small packets", []int{500, 500}, 0, false, true, 0},
		{"too few bytes, some of them large", []int{1400}, 0, false, false, 1},
		{"the same for the fourth interval", []int{1400}, maxDeferred, true, true, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var r requests
			log := new(SentLog)
			r.newSA(log)
			for i, size := range tc.sizes {
				log.Record(uint32(i+1), size, 0, true)
			}
			r.deferred = tc.deferred
			actions := r.ask(nil, 7, 576, epochStart)
			if asked := len(actions) == 1; asked != tc.asked || log.armed.Load() != tc.armed || r.deferred != tc.deferredFurther {
				t.Fatalf("asked %v, armed %v, deferred %d", asked, log.armed.Load(), r.deferred)
			}
			if !tc.asked {
				return
			}
			if want := (Action{Kind: SendReportRequest, ID: 7<<32 | 1}); actions[0] != want {
				t.Errorf("%+v, want %+v", actions[0], want)
			}
			q := r.answer(actions[0].ID)
			if q == nil || q.top != uint32(len(tc.sizes)) || q.count != len(tc.sizes) || int(q.sizes[0]) != tc.sizes[len(tc.sizes)-1] {
				t.Errorf("the request is %+v", q)
			}
			if r.answer(actions[0].ID) != nil {
				t.Error("it is answered twice")
			}
		})
	}
}

// TestALogGrowsForWhatIsWorthIt: full packets one after the other, or many.
func TestALogGrowsForWhatIsWorthIt(t *testing.T) {
	for _, tc := range []struct {
		name    string
		size    int // of packets
		each    int // packets before each request
		asked   int // requests
		enlarge bool
	}{
		{"nothing", 0, 0, 1, false},
		{"an echo now and then", 150, 1, 100, false},
		{"a full packet now and then", 1400, 1, 100, false},
		{"two full packets", 1400, 2, 1, true},
		{"small packets", 150, busyPackets, 100, false},
		{"many small packets", 150, busyPackets + 1, 1, true},
	} {
		var r requests
		log := new(SentLog)
		r.newSA(log)
		seq := uint32(0)
		for range restingLogSize { // the search
			seq++
			log.Record(seq, 1400, 0, false)
		}
		for range tc.asked {
			for range tc.each {
				seq++
				log.Record(seq, tc.size, 0, true)
			}
			r.deferred = maxDeferred
			r.ask(nil, 0, 576, epochStart)
		}
		if grown := log.large.Load() != nil; grown != tc.enlarge {
			t.Errorf("%s: grown %v", tc.name, grown)
		}
		if r.newSA(new(SentLog)); r.sent != nil || r.log.large.Load() != nil || r.answer(0) != nil {
			t.Errorf("%s: the next SA begins with more than it needs", tc.name)
		}
	}
}

// TestNothingAskedIsNotAnswered, whatever a report says.
func TestNothingAskedIsNotAnswered(t *testing.T) {
	var r requests
	r.newSA(new(SentLog))
	r.unsettled = true
	r.ask(nil, 0, 576, epochStart)
	for id := range uint64(2 * rememberedRequests) {
		if answered := r.answer(id) != nil; answered != (id == 1) {
			t.Errorf("%d: answered %v", id, answered)
		}
	}
}

func TestWhenARequestIsDue(t *testing.T) {
	for _, tc := range []struct {
		name string
		srtt time.Duration
		set  func(r *requests)
		want time.Duration // after the last; negative: never
	}{
		{"no data has flowed", 0, func(*requests) {}, -1},
		{"data flows", 0, func(r *requests) { r.log.armed.Store(false) }, requestInterval},
		{"the last was too early to tell", 0, func(r *requests) { r.unsettled = true }, requestInterval},
		{"the round trip is long", time.Second, func(r *requests) { r.log.armed.Store(false) }, time.Second / 2},
		{"there was too little data", 0, func(r *requests) { r.log.armed.Store(false); r.deferred = 2 }, 3 * requestInterval},
		{"nothing is answered", 0, func(r *requests) { r.log.armed.Store(false); r.pending = 2 * rememberedRequests }, 4 * requestInterval},
		{"nothing is answered for long", 0, func(r *requests) { r.log.armed.Store(false); r.pending = 1000 }, 256 * requestInterval},
	} {
		var r requests
		r.newSA(new(SentLog))
		r.last = epochStart
		tc.set(&r)
		at := r.dueAt(tc.srtt)
		if tc.want < 0 {
			if !at.IsZero() {
				t.Errorf("%s: due %v after the last", tc.name, at.Sub(epochStart))
			}
		} else if at.Sub(epochStart) != tc.want {
			t.Errorf("%s: due %v after the last, want %v", tc.name, at.Sub(epochStart), tc.want)
		}
	}
}

func TestSilence(t *testing.T) {
	for _, tc := range []struct {
		name     string
		loss     float64
		asked    int
		answered uint64 // counter of the last that is answered
		want     int    // of the requests, counted from 1, from which the timeout runs; 0: none
	}{
		{"too few are asked", 0, minUnanswered - 1, 0, 0},
		{"enough are asked", 0, minUnanswered, 0, minUnanswered},
		{"it runs from the same one later", 0, 5, 0, minUnanswered},
		{"it runs from the oldest that is remembered", 0, 20, 0, 20 - rememberedRequests + 1},
		{"one of them is answered", 0, 4, 2, 0},
		{"enough after the one that is answered", 0, 5, 2, 5},
		{"more where much is lost", 0.1, minUnanswered, 0, 0},
	} {
		var r requests
		r.newSA(new(SentLog))
		for i := range tc.asked {
			r.unsettled = true
			r.ask(nil, 0, 576, epochStart.Add(time.Duration(i+1)*time.Second))
		}
		if tc.answered > 0 && r.answer(tc.answered) == nil {
			t.Fatalf("%s: no request %d", tc.name, tc.answered)
		}
		got := 0
		if at := r.silentAt(tc.loss, 100*time.Millisecond); !at.IsZero() {
			got = int(at.Sub(epochStart) / time.Second)
		}
		if got != tc.want {
			t.Errorf("%s: runs from request %d, want %d", tc.name, got, tc.want)
		}
	}
}

// TestABurstIsRemembered though the next request is half a round trip away: what has left
// meanwhile, a PTB may quote.
func TestABurstIsRemembered(t *testing.T) {
	for _, tc := range []struct {
		name  string
		size  int
		rekey bool // in the midst of the burst
	}{
		{"large packets", 1500, false},
		{"small packets", 150, false},
		{"large packets and a rekey", 1500, true},
		{"small packets and a rekey", 150, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			m := newPath(1500)
			m.delay = 150 * time.Millisecond
			m.begin(1500)
			if !m.run(time.Minute, func() bool { return m.d.State() == SearchComplete }) {
				t.Fatalf("the path is %v", m.d.State())
			}
			m.run(time.Minute, nil)
			m.newSA()
			const packets, forgotten = 2000, busyPackets
			burst := func() {
				first, wakes := m.seq+1, 0
				for range packets {
					if _, _, _, wake := m.send(tc.size, true); wake {
						wakes++
						m.poll()
					}
					m.now = m.now.Add(10 * time.Microsecond)
				}
				known := 0
				for seq := first; seq <= m.seq; seq++ {
					if m.log.Size(seq) > 0 {
						known++
					}
				}
				if known < packets-forgotten {
					t.Errorf("%d of %d packets are remembered", known, packets)
				}
				if wakes > busyPackets {
					t.Errorf("%d wakes", wakes)
				}
			}
			burst()
			if tc.rekey {
				m.newSA()
				burst()
			}
		})
	}
}
