//go:build linux

package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dustin/go-humanize"
)

// progressInterval is the time between two lines of progress, and plotInterval that
// between two pictures on a terminal.
const (
	progressInterval = 500 * time.Millisecond
	plotInterval     = 100 * time.Millisecond
)

// sizes are what is known of the path: its MTU, and the PLPMTU that the tunnel has found.
type sizes struct{ path, plpmtu int }

func (s *sizes) String() string {
	if s == nil {
		return ""
	}
	return fmt.Sprintf("  path mtu %4d  plpmtu %4d", s.path, s.plpmtu)
}

// watch shows the progress at each interval, with the sizes of the path, nil where they
// are not known, until stop is called: as a picture in place on a terminal, else as a line
// each. If no byte arrives for too long it calls stalled once.
func (d *demo) watch(arrived *atomic.Uint64, path func() *sizes, changes *pathChanges, stalled func()) (stop func()) {
	began := time.Now()
	p := progress{size: uint64(d.size), out: newLiveBlock(d.progressOut(), d.verbose), began: began, lastStep: began, moved: began, patience: d.patience(),
		plot: plot{began: began, length: d.duration, changes: changes}}
	interval := progressInterval
	if p.out.live {
		interval = plotInterval
	}
	quit := make(chan struct{})
	var done sync.WaitGroup
	done.Go(func() {
		ticker := time.NewTicker(interval)
		defer ticker.Stop()
		for {
			select {
			case now := <-ticker.C:
				p.show(arrived.Load(), path(), now)
				if p.stalled(now) {
					stalled()
					return
				}
			case <-quit:
				p.show(arrived.Load(), path(), time.Now())
				return
			}
		}
	})
	return func() {
		close(quit)
		done.Wait()
	}
}

// progress turns counts of received bytes into lines and pictures.
type progress struct {
	size     uint64 // bytes of the whole transfer
	out      *liveBlock
	plot     plot
	began    time.Time
	last     uint64    // bytes received at the last step
	lastStep time.Time // at first began
	moved    time.Time // the last step at which more bytes had arrived
	patience time.Duration
}

// show prints what there is to see now.
func (p *progress) show(arrived uint64, path *sizes, now time.Time) {
	sample := plotSample{from: p.lastStep, to: now, bytes: arrived - p.last}
	lines := []string{p.step(arrived, now) + path.String()}
	if p.out.live {
		if path != nil {
			sample.plpmtu = path.plpmtu
		}
		p.plot.add(sample)
		lines = append(lines, p.plot.draw(screenOf(p.out.out))...)
	}
	p.out.print(lines)
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

// liveBlock prints lines. On a terminal they replace those before.
type liveBlock struct {
	out   io.Writer
	live  bool
	shown int // how many lines are on the terminal
}

// newLiveBlock prints one block below the other where more is printed in between, and
// where the terminal cannot do otherwise.
func newLiveBlock(out io.Writer, between bool) *liveBlock {
	return &liveBlock{out: out, live: onTerminal(out) && !between && os.Getenv("TERM") != "dumb"}
}

// print shows the lines, as many as the terminal has room for and none wider than it.
func (l *liveBlock) print(lines []string) {
	if !l.live {
		fmt.Fprintln(l.out, strings.Join(lines, "\n"))
		return
	}
	s := screenOf(l.out)
	if s.height > 1 {
		lines = lines[:min(len(lines), s.height-1)]
	}
	var b strings.Builder
	if l.shown > 0 {
		fmt.Fprintf(&b, "\x1b[%dA", l.shown)
	}
	b.WriteString("\x1b[?7l") // what is too wide is cut off, and not continued in the next line
	for _, line := range lines {
		fmt.Fprintf(&b, "\r%s%s\n", line, restEmpty)
	}
	b.WriteString(allEmpty + "\x1b[?7h")
	l.shown = len(lines)
	io.WriteString(l.out, b.String())
}

// progressOut returns where progress is printed: nowhere with --json.
func (d *demo) progressOut() io.Writer {
	if d.asJSON {
		return io.Discard
	}
	return d.out
}
