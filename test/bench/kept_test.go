//go:build linux

package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// TestPartsAreJoined: the report of parts is that of one run of both.
func TestPartsAreJoined(t *testing.T) {
	file := filepath.Join(t.TempDir(), "kept")
	first, second := &scenes[0], sceneOf(t, "bare cable")
	one := func(r *results) {
		r.congestion = "bbr"
		r.add(0, first, oneStream, aes.name, []float64{8, 1, 1})
		r.fail(1, first, oneStream, aes.name, errors.New("stalled")) // infinite; and the third is none
		r.started(first, aes.name, &variant{innerMTU: 1438, cipher: "vaes-512"})
	}
	other := func(r *results) {
		r.add(0, second, oneStream, reference, []float64{2, 1, 1})
		r.started(second, reference, &variant{innerMTU: 1440})
	}

	a := newResults(3, time.Second)
	if err := a.recall(file); err != nil {
		t.Fatalf("without a file: %v", err)
	}
	one(a)
	if err := a.keep(file); err != nil {
		t.Fatal(err)
	}
	b := newResults(3, time.Second)
	if err := b.recall(file); err != nil {
		t.Fatal(err)
	}
	other(b)

	whole := newResults(3, time.Second)
	whole.joined = true
	one(whole)
	other(whole)
	got, _ := b.markdown()
	if want, _ := whole.markdown(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}

	// What is there is not measured again, and what is not there is.
	for only, refused := range map[string]bool{"^cable/fathom, aes-256-gcm/one": true, "": true, "^cable/wireguard-go/": false, "^bare": false} {
		err := a.measuredBefore(programs{}, regexp.MustCompile(only))
		if (err != nil) != refused {
			t.Errorf("-only %q: %v", only, err)
		}
	}
}

// TestPartsOfOtherRunsAreRefused.
func TestPartsOfOtherRunsAreRefused(t *testing.T) {
	file := filepath.Join(t.TempDir(), "kept")
	if err := newResults(3, time.Second).keep(file); err != nil {
		t.Fatal(err)
	}
	withNebula := newResults(3, time.Second)
	withNebula.nebula = "v1"
	for name, r := range map[string]*results{"rounds": newResults(5, time.Second), "length": newResults(3, 2*time.Second), "nebula": withNebula} {
		if err := r.recall(file); err == nil || !strings.Contains(err.Error(), "another run") {
			t.Errorf("other %s: %v", name, err)
		}
	}
	if err := os.WriteFile(file, []byte("no record"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := newResults(3, time.Second).recall(file); err == nil {
		t.Error("a file of something else is taken")
	}
	if !strings.Contains(newResults(3, time.Second).of(), fmt.Sprint("commit ", commit())) {
		t.Error("runs of two commits could be joined")
	}
}
