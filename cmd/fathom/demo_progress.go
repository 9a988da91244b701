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

// watch prints a progress line at each interval, with more at its end, until
// stop is called. If no byte arrives for too long it calls stalled once.
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

// progress turns counts of received bytes into lines.
type progress struct {
	size     uint64 // bytes of the whole transfer
	line     *liveLine
	began    time.Time
	last     uint64    // bytes received at the last step
	lastStep time.Time // at first began
	moved    time.Time // the last step at which more bytes had arrived
	patience time.Duration
}

// step returns the line for the bytes that have arrived until now.
func (p *progress) step(arrived uint64, now time.Time) string {
	if arrived > p.last {
		p.moved = now
	}
	line := fmt.Sprintf("%6.1f s  %5.1f %%  %11s  %s",
		now.Sub(p.began).Seconds(), 100*float64(arrived)/float64(max(p.size, 1)), byteSize(arrived), rate(arrived-p.last, now.Sub(p.lastStep)))
	p.last, p.lastStep = arrived, now
	return line
}

// stalled reports whether no byte has arrived for too long.
func (p *progress) stalled(now time.Time) bool { return now.Sub(p.moved) >= p.patience }

// rate returns the throughput of bytes in a time, as text.
func rate(bytes uint64, in time.Duration) string {
	if in <= 0 {
		return "-"
	}
	perSecond := float64(bytes) / in.Seconds()
	return fmt.Sprintf("%7.1f MiB/s  %8.1f Mbit/s", perSecond/humanize.MiByte, perSecond*8/1e6)
}

// liveLine prints lines. On a terminal each line replaces the one before.
type liveLine struct {
	out   io.Writer
	live  bool
	width int // of the line on the terminal, in columns
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

// end ends the line on the terminal, so that other output begins a new one.
func (l *liveLine) end() {
	if l.live && l.width > 0 {
		fmt.Fprintln(l.out)
	}
	l.width = 0
}

// progressOut returns where progress is printed: nowhere with --json.
func (d *demo) progressOut() io.Writer {
	if d.asJSON {
		return io.Discard
	}
	return d.out
}
