//go:build linux

package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// executable writes a program for the shell.
func executable(t *testing.T, path, script string) {
	t.Helper()
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+script+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
}

func TestNebulaWantsItsBinaries(t *testing.T) {
	if p, err := newNebulaProgram(t.TempDir(), ""); err != nil || p.given() {
		t.Errorf("without a path: %+v, %v", p, err)
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "nebula")
	refused := func(what, want string) {
		t.Helper()
		if _, err := newNebulaProgram(t.TempDir(), path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", what, err, want)
		}
	}
	refused("no binary", "nebula-cert beside it")
	executable(t, path, "exit 0")
	refused("no nebula-cert", "nebula-cert beside it")
	executable(t, filepath.Join(dir, "nebula-cert"), "echo out of ink; exit 1")
	refused("nebula-cert fails", "out of ink")
}

// TestNebulaGetsItsCertificates: one of the authority, and one for each host of a place
// with the address that the others know.
func TestNebulaGetsItsCertificates(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "nebula")
	executable(t, path, "exit 0")
	executable(t, filepath.Join(dir, "nebula-cert"), `echo "$@" >>calls`)
	p, err := newNebulaProgram(dir, path)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(p.pki, "calls"))
	if err != nil {
		t.Fatal(err)
	}
	got := strings.Split(strings.TrimSpace(string(text)), "\n")
	want := []string{
		"ca -name bench -out-crt ca.crt -out-key ca.key",
		"sign -name a -networks 10.79.0.1/24 -out-crt a.crt -out-key a.key",
		"sign -name b -networks 10.79.0.2/24 -out-crt b.crt -out-key b.key",
		"sign -name c -networks 10.79.0.3/24 -out-crt c.crt -out-key c.key",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
