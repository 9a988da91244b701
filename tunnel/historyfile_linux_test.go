package tunnel

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"fathom/tunnel/history"
	"fathom/tunnel/status"
)

// TestAHistoryFileIsBounded appends far more than the files may have.
func TestAHistoryFileIsBounded(t *testing.T) {
	name := filepath.Join(t.TempDir(), "state", "x.history")
	const size = 1000
	line := []byte(strings.Repeat("x", 99) + "\n")
	for i := range 100 {
		line[0] = byte('0' + i%10)
		if err := appendTo(name, line, size); err != nil {
			t.Fatal(err)
		}
		for _, part := range []string{name, older(name)} {
			if info, err := os.Stat(part); err == nil && info.Size() > size {
				t.Fatalf("%s has %d bytes", part, info.Size())
			}
		}
	}
	parts, err := ReadHistory(name, size)
	if err != nil || len(parts[0]) != size || !bytes.HasSuffix(parts[1], line) {
		t.Errorf("%d and %d bytes, %v", len(parts[0]), len(parts[1]), err)
	}
	if parts, _ := ReadHistory(name, 150); len(parts[0]) != 150 || !bytes.HasSuffix(parts[0], []byte("\n")) {
		t.Error("not the end of a file is read")
	}
	if info, err := os.Stat(name); err != nil || info.Mode().Perm()&0o007 != 0 {
		t.Errorf("everybody may read it: %v, %v", info.Mode(), err)
	}
}

// TestOtherFilesInThePlaceOfAHistory: none holds anybody up, or is written to.
func TestOtherFilesInThePlaceOfAHistory(t *testing.T) {
	dir := t.TempDir()
	folder, pipe := filepath.Join(dir, "folder"), filepath.Join(dir, "pipe")
	if err := errors.Join(os.Mkdir(folder, 0o700), syscall.Mkfifo(pipe, 0o600)); err != nil {
		t.Fatal(err)
	}
	below := filepath.Join(dir, "file", "x.history")
	if err := os.WriteFile(filepath.Dir(below), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{folder, pipe, below} {
		if _, err := ReadHistory(name, 1000); err == nil {
			t.Errorf("%s: read", name)
		}
		if err := appendTo(name, []byte("x"), 1000); err == nil {
			t.Errorf("%s: written", name)
		}
	}
}

// TestAFileThatCannotBeWrittenIsToldOfOnce, and again after it could be.
func TestAFileThatCannotBeWrittenIsToldOfOnce(t *testing.T) {
	log := &logRecorder{seen: make(map[string]int)}
	h := newHistoryFile("x", 1000, slog.New(log))
	var mu sync.Mutex
	fail, written := true, 0
	done := make(chan struct{}, 100)
	h.append = func(_ string, data []byte, _ int64) error {
		mu.Lock()
		defer mu.Unlock()
		defer func() { done <- struct{}{} }()
		if fail {
			return errors.New("disk full")
		}
		written += len(data)
		return nil
	}
	var running sync.WaitGroup
	running.Go(h.run)
	for i := range 6 {
		mu.Lock()
		fail = i != 3
		mu.Unlock()
		h.write([]byte("abc"))
		<-done
	}
	h.close()
	running.Wait()
	if n := log.seen["cannot write the history"]; n != 2 || written != 3 {
		t.Errorf("told %d times, %d bytes written", n, written)
	}
	h.write(make([]byte, 2*maxHistoryWaiting)) // of a disk that hangs
	if len(h.take()) != 0 {
		t.Error("what waits has no bound")
	}
}

// TestTheHistoryOfACrash: what was written before is there, the file may end anyhow, and
// the next run goes on behind it.
func TestTheHistoryOfACrash(t *testing.T) {
	name := filepath.Join(t.TempDir(), "x.history")
	now := time.Now()
	run := func(version string) {
		var running sync.WaitGroup
		r := newRecorder(name, 1, slog.New(slog.DiscardHandler))
		r.begin(version, &running, now)
		r.add([]history.Record{{At: now, Peer: "b", Kind: history.Resized, From: 1500, To: 1400, Cause: "PTB"}}, now)
		r.file.close() // no farewell
		running.Wait()
	}
	run("v1")
	info, err := os.Stat(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(name, info.Size()-3); err != nil { // a power cut
		t.Fatal(err)
	}
	run("v2")
	h, err := StoredHistory(name, status.HistoryQuery{Since: time.Hour}, []string{"b"}, now.Add(time.Second))
	if err != nil || h.Running {
		t.Fatal(h, err)
	}
	var got []string
	for _, r := range h.Records {
		got = append(got, r.Kind.String()+r.Version)
	}
	if s := strings.Join(got, " "); s != "startedv1 startedv2 plpmtu" {
		t.Error(s)
	}
	// The next run has it in memory as well.
	r := newRecorder(name, 1, slog.New(slog.DiscardHandler))
	held := r.log.Snapshot()
	if again, _ := (history.Query{}).Select(now.Add(time.Second), held[0], held[1]); len(again) != 3 {
		t.Errorf("%d records", len(again))
	}
}
