package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// onJournal reports whether a file is the stream to the systemd journal that the
// environment variable JOURNAL_STREAM names by device and inode: systemd.exec(5).
func onJournal(w io.Writer) bool {
	file, ok := w.(*os.File)
	stream := os.Getenv("JOURNAL_STREAM")
	if !ok || stream == "" {
		return false
	}
	var stat unix.Stat_t
	if unix.Fstat(int(file.Fd()), &stat) != nil {
		return false
	}
	return stream == fmt.Sprintf("%d:%d", stat.Dev, stat.Ino)
}

// journalHandler is a text handler whose lines begin with their priority, as the
// journal takes it: sd-daemon(3). It adds no time, which the journal does itself.
type journalHandler struct {
	slog.Handler
	out *journalLines
}

func newJournalHandler(w io.Writer, level slog.Leveler) slog.Handler {
	out := &journalLines{w: w}
	text := slog.NewTextHandler(out, &slog.HandlerOptions{Level: level, ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
		if len(groups) == 0 && a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}})
	return &journalHandler{text, out}
}

// Handle writes one line with its prefix.
func (h *journalHandler) Handle(ctx context.Context, r slog.Record) error {
	h.out.mu.Lock()
	defer h.out.mu.Unlock()
	h.out.prefix = journalPrefix(r.Level)
	return h.Handler.Handle(ctx, r)
}

// WithAttrs returns a handler that adds attributes.
func (h *journalHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &journalHandler{h.Handler.WithAttrs(attrs), h.out}
}

// WithGroup returns a handler that opens a group.
func (h *journalHandler) WithGroup(name string) slog.Handler {
	return &journalHandler{h.Handler.WithGroup(name), h.out}
}

// journalPrefix returns the priority of syslog(3) that belongs to a level.
func journalPrefix(level slog.Level) string {
	switch {
	case level >= slog.LevelError:
		return "<3>"
	case level >= slog.LevelWarn:
		return "<4>"
	case level >= slog.LevelInfo:
		return "<6>"
	}
	return "<7>"
}

// journalLines writes each line behind a prefix, in one system call.
type journalLines struct {
	w      io.Writer
	mu     sync.Mutex
	prefix string // guarded by mu
	line   []byte // guarded by mu
}

// Write is called with mu held: by Handle.
func (p *journalLines) Write(line []byte) (int, error) {
	p.line = append(append(p.line[:0], p.prefix...), line...)
	_, err := p.w.Write(p.line)
	return len(line), err
}
