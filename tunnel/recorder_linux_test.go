package tunnel

import (
	"context"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"fathom/conf"
	"fathom/tunnel/history"
	"fathom/tunnel/status"
)

// writes counts what a history file is asked to write.
type writes struct {
	mu   sync.Mutex
	at   []time.Time
	data [][]byte
}

func (w *writes) append(_ string, data []byte, _ int64) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.at, w.data = append(w.at, time.Now()), append(w.data, data)
	return nil
}

// records returns what was written, write by write.
func (w *writes) records() (all [][]history.Record) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, data := range w.data {
		var one []history.Record
		history.Decode(data, func(r *history.Record) bool { one = append(one, *r); return true })
		all = append(all, one)
	}
	return all
}

// recording is newDiscoveringPair, whose left end has a history file that counts.
func recording(t *testing.T) (left, right *virtual, w *writes) {
	t.Helper()
	left, right = newDiscoveringPair(t, conf.Tunnel{HistoryFile: filepath.Join(t.TempDir(), "x.history")})
	w = new(writes)
	left.recorder.file.append = w.append
	right.start(t)
	left.start(t)
	until(t, time.Minute, func() bool { return left.settledAt(1500) && right.settledAt(1500) })
	return left, right, w
}

func (v *virtual) settledAt(plpmtu int) (is bool) {
	v.do(func(time.Time) { is = v.peer.path != nil && v.peer.path.plpmtu == plpmtu && v.peer.discovery.Settled() })
	return is
}

// TestWritesOfAHistoryAreFew: at most one a minute, and one an event, however much flows.
func TestWritesOfAHistoryAreFew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		left, _, w := recording(t)
		const minutes = 30
		for range minutes * 60 * 5 {
			left.peer.tx.add(10, 10_000)
			left.send(1)
			time.Sleep(200 * time.Millisecond)
		}
		left.wire.cut.Store(true)
		for range 200 { // an outage with data
			left.send(1)
			time.Sleep(100 * time.Millisecond)
		}
		left.wire.cut.Store(false)
		time.Sleep(time.Minute)
		left.stop()
		synctest.Wait()
		var events, timed, spans int
		var last time.Time
		var sum uint64
		for i, one := range w.records() {
			without := true
			for _, r := range one {
				if r.Kind != history.Flow {
					events++
					without = false
				} else {
					spans++
					sum += r.Traffic.TxBytes
				}
			}
			if without {
				timed++
				if at := w.at[i]; !last.IsZero() && at.Sub(last) < time.Minute {
					t.Errorf("two writes without an event within %v", at.Sub(last))
				}
				last = w.at[i]
			}
		}
		if len(w.at) > events+timed || timed > minutes+3 || timed < minutes-2 {
			t.Errorf("%d writes, %d of them without one of the %d events", len(w.at), timed, events)
		}
		if events < 5 || events > 20 { // started, established, the size, silent, answers, stopped
			t.Errorf("%d events: %v", events, w.records())
		}
		if want := uint64(minutes * 60 * 5 * 10_000); sum != want {
			t.Errorf("%d bytes in %d spans, want %d", sum, spans, want)
		}
	})
}

// history asks an end for what it remembers.
func (v *virtual) history(t *testing.T) *status.History {
	t.Helper()
	h, err := v.controller.history(context.Background(), status.HistoryQuery{Peer: v.peer.name, Since: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// TestAShrinkIsRemembered: one record, with the cause that began it, in memory at once; and
// one line of the log.
func TestAShrinkIsRemembered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		left, _, _ := recording(t)
		lines := left.log.count("PLPMTU changed")
		left.do(func(now time.Time) {
			left.peer.discovery.EgressMTU(1400, now)
			left.attend(left.peer, now)
		})
		until(t, time.Minute, func() bool { return left.settledAt(1400) })
		time.Sleep(time.Second)
		var sizes []string
		for _, r := range left.history(t).Records {
			if r.Kind == history.Resized {
				sizes = append(sizes, r.Cause)
				if r.To == 1400 && r.From != 1500 {
					t.Errorf("%+v", r)
				}
			}
		}
		if s := strings.Join(sizes, ", "); s != "start, egress MTU" {
			t.Error(s)
		}
		if n := left.log.count("PLPMTU changed") - lines; n != 1 {
			t.Errorf("%d lines of the log", n)
		}
		if _, err := left.controller.history(context.Background(), status.HistoryQuery{Peer: "nobody"}); err == nil {
			t.Error("a peer that there is not")
		}
	})
}

// TestAPathThatKeepsChangingFillsNoLog: few of its changes are logged at info.
func TestAPathThatKeepsChangingFillsNoLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		left, _, _ := recording(t)
		began := time.Now()
		lines := left.log.count("INFO PLPMTU changed")
		const changes = 40
		for i := range changes {
			mtu := 1300 + i%2*100
			left.do(func(now time.Time) {
				left.peer.discovery.EgressMTU(mtu, now)
				left.attend(left.peer, now)
			})
			until(t, time.Minute, func() bool { return left.settledAt(mtu) })
		}
		most := sizesBurst + int(time.Since(began)/warnEvery) + 1
		if n := left.log.count("INFO PLPMTU changed") - lines; n < sizesBurst-1 || n > most || most >= changes {
			t.Errorf("%d lines of the log, at most %d", n, most)
		}
	})
}
