package main

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestLoggerOfATerminal(t *testing.T) {
	t.Setenv("JOURNAL_STREAM", "8:1234") // of a shell that a service has started
	var b strings.Builder
	log := newLogger(&b, slog.LevelWarn)
	log.Info("quiet")
	log.Warn("loud", "peer", "b")
	got := b.String()
	if !strings.HasPrefix(got, "time=") || !strings.HasSuffix(got, `level=WARN msg=loud peer=b`+"\n") || strings.Contains(got, "quiet") {
		t.Errorf("logged %q", got)
	}
}

// TestLoggerOfTheJournal writes to a file in the place of the journal's socket.
func TestLoggerOfTheJournal(t *testing.T) {
	file, err := os.Create(filepath.Join(t.TempDir(), "stream"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var stat unix.Stat_t
	if err := unix.Fstat(int(file.Fd()), &stat); err != nil {
		t.Fatal(err)
	}
	t.Setenv("JOURNAL_STREAM", fmt.Sprintf("%d:%d", stat.Dev, stat.Ino))
	log := newLogger(file, slog.LevelDebug)
	log.Debug("a")
	log.With("peer", "b").Info("b", slog.Group("g", "time", "mine"))
	log.WithGroup("g").Warn("c", "n", 1)
	log.Error("d\nd")
	got, err := os.ReadFile(file.Name())
	if err != nil {
		t.Fatal(err)
	}
	want := "<7>level=DEBUG msg=a\n<6>level=INFO msg=b peer=b g.time=mine\n<4>level=WARN msg=c g.n=1\n<3>level=ERROR msg=\"d\\nd\"\n"
	if string(got) != want {
		t.Errorf("logged\n%swant\n%s", got, want)
	}
	if newLogger(file, slog.LevelWarn).Info("quiet"); len(want) != len(mustRead(t, file.Name())) {
		t.Error("a level below the logger's is written")
	}
}

func mustRead(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
