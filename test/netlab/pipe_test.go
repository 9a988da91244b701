package netlab

import (
	"bytes"
	"encoding/binary"
	"slices"
	"testing"
	"time"
)

// arrived is a packet that came out of a pipe.
type arrived struct {
	at     time.Duration
	number int
}

// runPipe sends count packets of size bytes, one every gap, and returns what
// arrives. Every packet carries its number.
func runPipe(p *pipe, c Conditions, count, size int, gap time.Duration) (out []arrived) {
	take := func(until int64) {
		for {
			at, ok := p.next()
			if !ok || at > until {
				return
			}
			packet := p.take(at)
			out = append(out, arrived{time.Duration(at), int(binary.BigEndian.Uint32(packet))})
			p.release(packet, true)
		}
	}
	for n := range count {
		now := int64(n) * int64(gap)
		take(now)
		packet := make([]byte, size)
		binary.BigEndian.PutUint32(packet, uint32(n))
		p.accept(now, &c, packet)
	}
	take(1 << 62)
	return out
}

func newPipe(seed uint64) *pipe { return &pipe{dice: newDice(seed, AtoB)} }

func TestAPerfectPipeIsAWire(t *testing.T) {
	out := runPipe(newPipe(1), Conditions{}, 100, 1500, time.Millisecond)
	for n, a := range out {
		if a.number != n || a.at != time.Duration(n)*time.Millisecond {
			t.Fatalf("arrival %d is packet %d at %v", n, a.number, a.at)
		}
	}
	if len(out) != 100 {
		t.Fatalf("%d packets arrived, want all", len(out))
	}
}

func TestThePacketThatArrivesIsTheOneThatWasSent(t *testing.T) {
	p := newPipe(1)
	var sent [][]byte
	for _, size := range []int{1, 20, 1500, 2048, 2049, 9000, 10240, 10241, 65535} {
		packet := bytes.Repeat([]byte{byte(size)}, size)
		sent = append(sent, slices.Clone(packet))
		p.accept(0, &Conditions{}, packet)
		clear(packet) // the pipe must have copied it
	}
	for _, want := range sent {
		got := p.take(0)
		if !bytes.Equal(got, want) {
			t.Errorf("%d bytes arrived changed", len(want))
		}
		p.release(got, true)
	}
	if p.buffers.inUse != 0 {
		t.Errorf("%d bytes of buffers are still in use", p.buffers.inUse)
	}
}

func TestDelayAndJitterKeepBoundsAndOrder(t *testing.T) {
	const delay, jitter, gap = 20 * time.Millisecond, 5 * time.Millisecond, time.Millisecond
	out := runPipe(newPipe(1), Conditions{Delay: delay, Jitter: jitter}, 2000, 100, gap)
	low, high := time.Hour, time.Duration(0)
	for n, a := range out {
		if a.number != n {
			t.Fatalf("packet %d arrived at place %d", a.number, n)
		}
		took := a.at - time.Duration(n)*gap
		low, high = min(low, took), max(high, took)
	}
	if low < delay-jitter || high > delay+jitter {
		t.Errorf("delays from %v to %v, want %v ± %v", low, high, delay, jitter)
	}
	if high-low < jitter {
		t.Errorf("delays from %v to %v: no jitter", low, high)
	}
}

func TestNothingArrivesBeforeItsTime(t *testing.T) {
	for name, c := range map[string]Conditions{
		"in line":   {Delay: time.Second},
		"held back": {Reorder: 1, ReorderBy: time.Second},
	} {
		p := newPipe(1)
		p.accept(0, &c, []byte{1})
		if p.take(int64(time.Second)-1) != nil {
			t.Errorf("%s: it came early", name)
		}
		if p.take(int64(time.Second)) == nil {
			t.Errorf("%s: it did not come", name)
		}
	}
}

func TestLessDelayDoesNotLetPacketsOvertake(t *testing.T) {
	p := newPipe(1)
	p.accept(0, &Conditions{Delay: time.Second}, []byte{1})
	p.accept(1, &Conditions{}, []byte{2})
	if got := p.take(int64(time.Second)); got == nil || got[0] != 1 {
		t.Errorf("the first arrival is %v, want the first packet", got)
	}
}

func TestRateSpacesPacketsAndTheQueueDropsItsTail(t *testing.T) {
	const (
		size  = 1250
		rate  = 10_000_000 // so a packet takes 1 ms
		queue = 10 * size
		count = 100
	)
	p := newPipe(1)
	// All at once.
	out := runPipe(p, Conditions{Rate: rate, Queue: queue}, count, size, 0)
	if want := queue / size; len(out) != want {
		t.Fatalf("%d packets fitted a queue of %d", len(out), want)
	}
	for n, a := range out {
		if want := time.Duration(n+1) * time.Millisecond; a.at != want {
			t.Errorf("packet %d has left at %v, want %v", n, a.at, want)
		}
	}
	if got := p.counters().QueueDrops; got != uint64(count-len(out)) {
		t.Errorf("%d queue drops counted, want %d", got, count-len(out))
	}

	// At just the rate, nothing waits.
	if out := runPipe(newPipe(1), Conditions{Rate: rate, Queue: 1}, count, size, time.Millisecond); len(out) != count {
		t.Errorf("%d of %d packets passed at the rate of the link", len(out), count)
	}
}

func TestLossComesInItsProportionAndBurstsInTheirLength(t *testing.T) {
	const count = 100_000
	t.Run("independent", func(t *testing.T) {
		out := runPipe(newPipe(1), Conditions{Loss: 0.1}, count, 4, 1)
		if n := count - len(out); n < count/10*9/10 || n > count/10*11/10 {
			t.Errorf("%d of %d lost", n, count)
		}
	})
	t.Run("in bursts", func(t *testing.T) {
		const start, mean = 0.01, 5.0
		out := runPipe(newPipe(1), Conditions{BurstStart: start, BurstLength: mean}, count, 4, 1)
		bursts, lost := 0, 0
		for n := 1; n < len(out); n++ {
			if hole := out[n].number - out[n-1].number - 1; hole > 0 {
				bursts++
				lost += hole
			}
		}
		if got := float64(lost) / float64(bursts); got < mean*0.9 || got > mean*1.1 {
			t.Errorf("bursts have %.2f packets on average, want %.2f", got, mean)
		}
		if want := start * float64(len(out)); float64(bursts) < want*0.8 || float64(bursts) > want*1.2 {
			t.Errorf("%d bursts, want about %.0f", bursts, want)
		}
	})
}

func TestDuplicatesFollowTheirOriginal(t *testing.T) {
	p := newPipe(1)
	const count = 10_000
	out := runPipe(p, Conditions{Duplicate: 0.2, Delay: time.Millisecond}, count, 4, 1)
	twice := 0
	for n := 1; n < len(out); n++ {
		if out[n].number == out[n-1].number {
			twice++
		}
	}
	if len(out) != count+twice {
		t.Errorf("%d arrivals of %d packets, but %d pairs", len(out), count, twice)
	}
	if twice < count/5*9/10 || twice > count/5*11/10 {
		t.Errorf("%d of %d came twice", twice, count)
	}
	if got := p.counters().Duplicated; got != uint64(twice) {
		t.Errorf("%d duplicates counted, want %d", got, twice)
	}
}

func TestPacketsHeldBackAreOvertaken(t *testing.T) {
	p := newPipe(1)
	const count, by = 1000, 5 * time.Millisecond
	out := runPipe(p, Conditions{Reorder: 0.1, ReorderBy: by}, count, 4, time.Millisecond)
	late := 0
	for n := 1; n < len(out); n++ {
		if out[n].number < out[n-1].number {
			late++
			if took := out[n].at - time.Duration(out[n].number)*time.Millisecond; took != by {
				t.Errorf("packet %d was held back for %v, want %v", out[n].number, took, by)
			}
		}
	}
	if len(out) != count {
		t.Errorf("%d packets arrived, want %d", len(out), count)
	}
	if late < count/10/2 {
		t.Errorf("%d packets were late", late)
	}
	if got := p.counters().Reordered; got < uint64(late) {
		t.Errorf("%d counted, %d seen", got, late)
	}
}

func TestMTUIsExact(t *testing.T) {
	const mtu = 1400
	for size, want := range map[int]int{mtu: 1, mtu + 1: 0} {
		p := newPipe(1)
		if got := len(runPipe(p, Conditions{MTU: mtu}, 1, size, 0)); got != want {
			t.Errorf("%d packets of %d bytes passed, want %d", got, size, want)
		}
		if got := p.counters().TooLong; got != uint64(1-want) {
			t.Errorf("%d counted too long at %d bytes, want %d", got, size, 1-want)
		}
	}
}

func TestTheSameSeedBringsTheSameFates(t *testing.T) {
	c := Conditions{Loss: 0.1, BurstStart: 0.01, BurstLength: 3, Duplicate: 0.1, Reorder: 0.1, Delay: time.Millisecond, Jitter: time.Millisecond}
	run := func(seed uint64, c Conditions) []arrived {
		return runPipe(newPipe(seed), c, 5000, 100, 100*time.Microsecond)
	}
	if !slices.Equal(run(7, c), run(7, c)) {
		t.Error("two runs with one seed differ")
	}
	if slices.Equal(run(7, c), run(8, c)) {
		t.Error("two seeds bring the same run")
	}

	// Conditions that lose nothing do not change which packets are lost.
	lost := func(c Conditions) (set []int) {
		seen := make(map[int]bool)
		for _, a := range run(7, c) {
			seen[a.number] = true
		}
		for n := range 5000 {
			if !seen[n] {
				set = append(set, n)
			}
		}
		return set
	}
	plain := Conditions{Loss: c.Loss, BurstStart: c.BurstStart, BurstLength: c.BurstLength}
	if !slices.Equal(lost(c), lost(plain)) {
		t.Error("delay and duplication changed which packets are lost")
	}
	if len(lost(plain)) == 0 {
		t.Error("nothing was lost")
	}
}

func TestAPipeDoesNotAllocateForAPacket(t *testing.T) {
	p := newPipe(1)
	c := Conditions{Delay: time.Millisecond, Jitter: time.Millisecond, Rate: 1e9, Loss: 0.01, Duplicate: 0.01}
	packet := make([]byte, 1500)
	now := int64(0)
	step := func() {
		now += 12_000
		p.accept(now, &c, packet)
		for out := p.take(now); out != nil; out = p.take(now) {
			p.release(out, true)
		}
	}
	for range 10_000 {
		step()
	}
	if n := testing.AllocsPerRun(10_000, step); n != 0 {
		t.Errorf("%v allocations for a packet", n)
	}
}

func BenchmarkPipe(b *testing.B) {
	p := newPipe(1)
	c := Conditions{Delay: 20 * time.Millisecond, Rate: 10e9, Loss: 0.001}
	packet := make([]byte, 1500)
	b.ReportAllocs()
	b.SetBytes(int64(len(packet)))
	now := int64(0)
	for b.Loop() {
		now += 1200
		p.accept(now, &c, packet)
		for out := p.take(now); out != nil; out = p.take(now) {
			p.release(out, true)
		}
	}
}

// TestLossBySize concerns the packets above a length alone.
func TestLossBySize(t *testing.T) {
	const count, long = 20_000, 1400
	c := Conditions{LongLoss: 0.05, Long: long}
	for _, test := range []struct {
		size     int
		from, to int
	}{{long, 0, 0}, {long + 1, count * 4 / 100, count * 6 / 100}} {
		lost := count - len(runPipe(newPipe(1), c, count, test.size, time.Microsecond))
		if lost < test.from || lost > test.to {
			t.Errorf("%d of %d packets of %d bytes are lost, want %d to %d", lost, count, test.size, test.from, test.to)
		}
	}
}
