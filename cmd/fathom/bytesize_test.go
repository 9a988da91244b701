package main

import (
	"errors"
	"testing"
)

func TestByteSize(t *testing.T) {
	for text, want := range map[string]byteSize{
		"0": 0, "1000000": 1_000_000, "1b": 1, "8MiB": 8 << 20, "8mib": 8 << 20, "8 MiB": 8 << 20, "8 mib": 8 << 20, "8M": 8 << 20,
		"1.5GiB": 3 << 29, "10MB": 10_000_000, "2kb": 2000, "2k": 2048, "3G": 3 << 30, ".5k": 512,
	} {
		var got byteSize
		if err := got.Set(text); got != want || err != nil {
			t.Errorf("%q: %d, %v; want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", "MiB", "-1", "+1", "1e3", "0x10", "1_000", "1..2", "12x", "1 2", "NaN", "inf", "0.5", "0.0001k", "1,000", "1,5k", "99999999999G", "99999999999999999999"} {
		var got byteSize
		if err := got.Set(text); !errors.Is(err, errByteSize) || got != 0 {
			t.Errorf("%q: %d, %v; want an error", text, got, err)
		}
	}
	for size, want := range map[byteSize]string{0: "0 B", 1023: "1023 B", 1536: "1.5 KiB", 4 << 20: "4 MiB", 256 << 20: "256 MiB"} {
		if got := size.String(); got != want {
			t.Errorf("%d: %q, want %q", uint64(size), got, want)
		}
	}
}
