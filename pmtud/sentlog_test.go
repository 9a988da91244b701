package pmtud

import (
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
)

func TestASentLogRemembersTheLastPackets(t *testing.T) {
	for _, size := range []uint32{restingLogSize, sentLogSize} {
		l := new(SentLog)
		if size == sentLogSize {
			l.enlarge()
		}
		for seq := uint32(1); seq <= 3*size; seq++ {
			l.Record(seq, int(seq%1400)+100, 0, true)
		}
		for seq := uint32(1); seq <= 3*size; seq++ {
			want := 0
			if seq > 2*size {
				want = int(seq%1400) + 100
			}
			if got := l.Size(seq); got != want {
				t.Fatalf("log of %d: size of %d is %d, want %d", size, seq, got, want)
			}
		}
		if got := l.Size(3*size + 1); got != 0 {
			t.Errorf("log of %d: size of a packet not sent is %d", size, got)
		}
	}
}

// TestALogThatGrowsForgetsNothing, and grows once.
func TestALogThatGrowsForgetsNothing(t *testing.T) {
	l := new(SentLog)
	const sent = 2*restingLogSize + 7
	for seq := uint32(1); seq <= sent; seq++ {
		l.Record(seq, 1000, 3, seq%2 == 0)
	}
	l.enlarge()
	l.Record(sent+1, 1000, 3, true)
	l.enlarge()
	for seq := uint32(1); seq <= sent+1; seq++ {
		size, path := l.Sent(seq)
		if known := size == 1000 && path == 3; known != (seq > sent-restingLogSize) {
			t.Errorf("%d: size %d, path %d", seq, size, path)
		}
		if got, want := l.control(seq), seq%2 == 1 && seq > sent-restingLogSize && seq <= sent; got != want {
			t.Errorf("%d: control message: %v", seq, got)
		}
	}
}

// TestPacketsThatTheHostHasLostAreForgotten: their absence is no evidence.
func TestPacketsThatTheHostHasLostAreForgotten(t *testing.T) {
	l := new(SentLog)
	l.enlarge()
	for seq := uint32(1); seq <= 20; seq++ {
		if seq == 11 {
			l.Queued(1, seq)
		}
		l.Record(seq, 1000, 0, true)
	}
	l.NotSent(0) // holds none
	l.NotSent(1)
	l.Flushed(1)
	l.Record(21, 1000, 0, true)
	for seq := uint32(1); seq <= 21; seq++ {
		if got, held := l.Size(seq), 11 <= seq && seq <= 20; (got == 0) != held {
			t.Errorf("the size of %d is %d", seq, got)
		}
	}
	l.Queued(1, 1) // much longer ago than is remembered
	for seq := uint32(22); seq <= 3*sentLogSize; seq++ {
		l.Record(seq, 1000, 0, true)
	}
	l.NotSent(1)
	for seq := uint32(3*sentLogSize) - sentLogSize + 1; seq <= 3*sentLogSize; seq++ {
		if l.Size(seq) != 0 {
			t.Fatalf("the size of %d is remembered", seq)
		}
	}
}

func TestASentLogWakesOnceForData(t *testing.T) {
	l := new(SentLog)
	if l.Record(1, 100, 0, true) {
		t.Error("asks before it is armed")
	}
	l.armed.Store(true)
	if l.Record(2, 100, 0, false) {
		t.Error("a control message counts as data")
	}
	if !l.Record(3, 100, 0, true) || l.Record(4, 100, 0, true) {
		t.Error("does not ask exactly once")
	}
}

func TestASentLogIsWrittenByManyAtOnce(t *testing.T) {
	l := new(SentLog) // which grows meanwhile
	const writers, each = 4, 20_000
	var next, wakes atomic.Uint32
	l.armed.Store(true)
	var done sync.WaitGroup
	for range writers {
		done.Go(func() {
			for range each {
				runtime.Gosched() // where a runtime does not preempt, as under an emulator
				seq := next.Add(1)
				if l.Record(seq, 500+int(seq%1000), 0, true) {
					wakes.Add(1)
				}
			}
		})
	}
	reader := make(chan struct{})
	go func() {
		defer close(reader)
		for next.Load() < writers*each {
			runtime.Gosched()
			h := l.highest.Load()
			if h > writers*each/2 {
				l.enlarge()
			}
			for back := range uint32(64) {
				if s := l.Size(h - back); s != 0 && s != 500+int((h-back)%1000) {
					t.Errorf("size of %d is %d", h-back, s)
					return
				}
			}
		}
	}()
	done.Wait()
	<-reader
	if wakes.Load() != 1 {
		t.Errorf("%d wakes", wakes.Load())
	}
	if h := l.highest.Load(); h > writers*each || h < writers*each-sentLogSize/2 {
		t.Errorf("highest is %d of %d", h, writers*each)
	}
}

func TestRecordAllocatesNothing(t *testing.T) {
	l := new(SentLog)
	seq := uint32(0)
	if n := testing.AllocsPerRun(1000, func() { seq++; l.Record(seq, 1400, 0, true) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkRecord(b *testing.B) {
	l := new(SentLog)
	b.ReportAllocs()
	seq := uint32(0)
	for b.Loop() {
		seq++
		l.Record(seq, 1400, 0, true)
	}
}

func BenchmarkRecordParallel(b *testing.B) {
	l := new(SentLog)
	b.ReportAllocs()
	var next atomic.Uint32
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			l.Record(next.Add(1), 1400, 0, true)
		}
	})
}

func TestTopIsBelowEveryQueuedPacket(t *testing.T) {
	l := new(SentLog)
	record := func(sender int, seq uint32) {
		l.Queued(sender, seq)
		l.Record(seq, 1000, 0, true)
	}
	for _, step := range []struct {
		name string
		do   func()
		want uint32
	}{
		{"nothing was sent", func() {}, 0},
		{"two are queued", func() { record(0, 1); record(0, 2) }, 0},
		{"they are flushed", func() { l.Flushed(0) }, 2},
		{"another sender holds one", func() { record(1, 3); record(0, 4); l.Flushed(0) }, 2},
		{"which is flushed", func() { l.Flushed(1) }, 4},
		{"the last sender", func() { record(MaxSenders-1, 5) }, 4},
	} {
		step.do()
		if got := l.top(); got != step.want {
			t.Errorf("%s: %d, want %d", step.name, got, step.want)
		}
	}
}

// TestWatchIsForOnePacket of data, and is not the Discovery's own wait.
func TestWatchIsForOnePacket(t *testing.T) {
	var l SentLog
	record := func(data, wake bool) {
		t.Helper()
		if l.Record(1, 100, 0, data) != wake {
			t.Errorf("Record returns %v", !wake)
		}
	}
	record(true, false)
	l.Watch()
	record(false, false)
	record(true, true)
	record(true, false)
	l.armed.Store(true)
	l.Watch()
	record(true, true)
	if l.armed.Load() {
		t.Error("the Discovery still waits")
	}
	record(true, false)
}
