//go:build linux

package main

import (
	"strings"
	"testing"
	"time"

	"github.com/dustin/go-humanize"
)

func TestProgressShowsTheRateOfTheLastStep(t *testing.T) {
	began := time.Unix(0, 0)
	p := progress{size: 400 * humanize.MiByte, began: began, lastStep: began, moved: began}
	for _, step := range []struct {
		after   time.Duration
		arrived uint64
		want    string
	}{
		{500 * time.Millisecond, 50 * humanize.MiByte, "   0.5 s   12.5 %       50 MiB    100.0 MiB/s     838.9 Mbit/s"},
		{time.Second, 200 * humanize.MiByte, "   1.0 s   50.0 %      200 MiB    300.0 MiB/s    2516.6 Mbit/s"},
		{2 * time.Second, 200 * humanize.MiByte, "   2.0 s   50.0 %      200 MiB      0.0 MiB/s       0.0 Mbit/s"},
		{3 * time.Second, 400 * humanize.MiByte, "   3.0 s  100.0 %      400 MiB    200.0 MiB/s    1677.7 Mbit/s"},
	} {
		moved := p.moved
		stands := step.arrived == p.last
		if got := p.step(step.arrived, began.Add(step.after)); got != step.want {
			t.Errorf("after %v:\n%q, want\n%q", step.after, got, step.want)
		}
		if stands != p.moved.Equal(moved) {
			t.Errorf("after %v: the last byte is said to have arrived at %v", step.after, p.moved)
		}
	}
}

func TestATransferStallsWhenNothingArrivesForLong(t *testing.T) {
	began := time.Unix(0, 0)
	p := progress{began: began, lastStep: began, moved: began, patience: stallAfter}
	later := func(d time.Duration) time.Time { return began.Add(d) }
	p.step(0, later(time.Second))
	if p.stalled(later(stallAfter - 1)) {
		t.Error("stalled too early, without a byte")
	}
	if !p.stalled(later(stallAfter)) {
		t.Error("not stalled, without a byte")
	}
	p.step(1, later(10*time.Second))
	p.step(1, later(20*time.Second))
	if p.stalled(later(stallAfter + 10*time.Second - 1)) {
		t.Error("stalled too early, after a byte")
	}
	if !p.stalled(later(stallAfter + 10*time.Second)) {
		t.Error("not stalled, after a byte")
	}
}

func TestLiveBlock(t *testing.T) {
	for _, test := range []struct {
		name string
		live bool
		want string
	}{
		{"on a terminal lines replace those before", true, "\x1b[?7l\ra\x1b[K\n\rb\x1b[K\n\x1b[J\x1b[?7h\x1b[2A\x1b[?7l\rc\x1b[K\n\x1b[J\x1b[?7h"},
		{"elsewhere lines follow each other", false, "a\nb\nc\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var b strings.Builder
			l := newLiveBlock(&b, false)
			l.live = test.live
			l.print([]string{"a", "b"})
			l.print([]string{"c"})
			if b.String() != test.want {
				t.Errorf("printed %q, want %q", b.String(), test.want)
			}
		})
	}
}
