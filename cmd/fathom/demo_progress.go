//go:build linux

package main

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dustin/go-humanize"
)

// progressInterval is the time between two lines of progress.
const progressInterval = 500 * time.Millisecond

// watch prints how many bytes have arrived, and more, until the returned
// function is called, and calls stalled once when none has for long.
func (d *demo) watch(arrived *atomic.Uint64, more func() string, stalled func()) (stop func()) {
	began := time.Now()
	p := progress{size: uint64(d.size), line: newLiveLine(d.progressOut()), began: began, lastStep: began, moved: began, patience: d.patience()}
	quit := make(chan struct{})
	var done sync.WaitGroup
	done.Go(func() {
		ticker := time.NewTicker(progressInterval)
		defer ticker.Stop()
		for {
			select {
			case now := <-ticker.C:
				p.line.print(p.step(arrived.Load(), now) + more())
				if p.stalled(now) {
					p.line.end()
					stalled()
					return
				}
			case <-quit:
				p.line.print(p.step(arrived.Load(), time.Now()) + more())
				p.line.end()
				return
			}
		}
	})
	return func() {
		close(quit)
		done.Wait()
	}
}

// progress makes a line out of each step.
type progress struct {
	size     uint64 // bytes to come
	line     *liveLine
	began    time.Time
	last     uint64    // bytes at the last step
	lastStep time.Time // or began
	moved    time.Time // when a byte was last seen to have arrived
	patience time.Duration
}

// step returns the line for the bytes that have arrived by now.
func (p *progress) step(arrived uint64, now time.Time) string {
	if arrived > p.last {
		p.moved = now
	}
	line := fmt.Sprintf("%6.1f s  %5.1f %%  %11s  %s",
		now.Sub(p.began).Seconds(), 100*float64(arrived)/float64(max(p.size, 1)), byteSize(arrived), rate(arrived-p.last, now.Sub(p.lastStep)))
	p.last, p.lastStep = arrived, now
	return line
}

// stalled reports whether nothing has arrived for too long.
func (p *progress) stalled(now time.Time) bool { return now.Sub(p.moved) >= p.patience }

// rate prints bytes in a time as throughput.
func rate(bytes uint64, in time.Duration) string {
	if in <= 0 {
		return "-"
	}
	perSecond := float64(bytes) / in.Seconds()
	return fmt.Sprintf("%7.1f MiB/s  %8.1f Mbit/s", perSecond/humanize.MiByte, perSecond*8/1e6)
}

// liveLine prints lines one below the other, or, on a terminal, one over the
// other.
type liveLine struct {
	out   io.Writer
	live  bool
	width int // of the line that stands there
}

func newLiveLine(out io.Writer) *liveLine {
	return &liveLine{out: out, live: onTerminal(out)}
}

func (l *liveLine) print(line string) {
	if !l.live {
		fmt.Fprintln(l.out, line)
		return
	}
	blank := strings.Repeat(" ", max(0, l.width-len(line)))
	fmt.Fprintf(l.out, "\r%s%s", line, blank)
	l.width = len(line)
}

// end lets what comes next begin on a line of its own.
func (l *liveLine) end() {
	if l.live && l.width > 0 {
		fmt.Fprintln(l.out)
	}
	l.width = 0
}

// progressOut is where progress goes: nowhere with --json.
func (d *demo) progressOut() io.Writer {
	if d.asJSON {
		return io.Discard
	}
	return d.out
}
