package main

import (
	"log/slog"
	"strings"
	"testing"
)

func TestLogger(t *testing.T) {
	t.Run("lines have a time and keep to the level", func(t *testing.T) {
		t.Setenv("JOURNAL_STREAM", "")
		var b strings.Builder
		log := newLogger(&b, slog.LevelWarn)
		log.Info("quiet")
		log.Warn("loud", "peer", "b")
		got := b.String()
		if !strings.HasPrefix(got, "time=") || !strings.HasSuffix(got, `level=WARN msg=loud peer=b`+"\n") || strings.Contains(got, "quiet") {
			t.Errorf("logged %q", got)
		}
	})
	t.Run("the journal has a time of its own", func(t *testing.T) {
		t.Setenv("JOURNAL_STREAM", "8:1234")
		var b strings.Builder
		newLogger(&b, slog.LevelInfo).Info("up", slog.Group("g", "time", "mine"))
		if got, want := b.String(), "level=INFO msg=up g.time=mine\n"; got != want {
			t.Errorf("logged %q, want %q", got, want)
		}
	})
}
