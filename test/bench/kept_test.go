//go:build linux

package main

import (
	"errors"
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

	a := newResults(circumstances{Rounds: 3})
	if err := a.recall(file); err != nil {
		t.Fatalf("without a file: %v", err)
	}
	one(a)
	if err := a.keep(file); err != nil {
		t.Fatal(err)
	}
	b := newResults(circumstances{Rounds: 3})
	if err := b.recall(file); err != nil {
		t.Fatal(err)
	}
	other(b)

	whole := newResults(circumstances{Rounds: 3})
	whole.joined = true
	one(whole)
	other(whole)
	got, _ := b.markdown()
	if want, _ := whole.markdown(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}

	// What is there is not measured again, and what is not there is.
	for only, refused := range map[string]bool{"^cable/fathom, aes-256-gcm/one": true, "": true, "^cable/wireguard-go/one": true, "^cable/wireguard-go/eight": false, "^bare": false} {
		err := a.measuredBefore(programs{}, regexp.MustCompile(only))
		if (err != nil) != refused {
			t.Errorf("-only %q: %v", only, err)
		}
	}
}

// TestPartsOfOtherRunsAreRefused: of another commit or machine, beside other rivals, or
// measured otherwise.
func TestPartsOfOtherRunsAreRefused(t *testing.T) {
	file := filepath.Join(t.TempDir(), "kept")
	this := circumstances{Commit: "c0ffee", Machine: "one", Nebula: "v1", Rounds: 3, Length: time.Second}
	if err := newResults(this).keep(file); err != nil {
		t.Fatal(err)
	}
	if err := newResults(this).recall(file); err != nil {
		t.Errorf("the same: %v", err)
	}
	for what, change := range map[string]func(*circumstances){
		"commit":  func(c *circumstances) { c.Commit += "-dirty" },
		"machine": func(c *circumstances) { c.Machine = "another" },
		"nebula":  func(c *circumstances) { c.Nebula = "" },
		"rounds":  func(c *circumstances) { c.Rounds = 5 },
		"length":  func(c *circumstances) { c.Length *= 2 },
	} {
		other := this
		change(&other)
		if err := newResults(other).recall(file); err == nil || !strings.Contains(err.Error(), "another run") {
			t.Errorf("another %s: %v", what, err)
		}
	}
	if err := os.WriteFile(file, []byte("no record"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := newResults(this).recall(file); err == nil {
		t.Error("a file of something else is taken")
	}
}
