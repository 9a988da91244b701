package main

import (
	"errors"
	"testing"
)

func TestByteSizeParsesWhatPeopleWrite(t *testing.T) {
	for text, want := range map[string]byteSize{
		"0": 0, "1000000": 1000000, "1b": 1, "8MiB": 8 << 20, "8mib": 8 << 20, "8 MiB": 8 << 20, "8M": 8 << 20,
		"1.5GiB": 3 << 29, "10MB": 10_000_000, "2kb": 2000, "2k": 2048, "3G": 3 << 30, ".5k": 512,
	} {
		if got, err := parseByteSize(text); got != want || err != nil {
			t.Errorf("%q: %d, %v; want %d", text, got, err, want)
		}
	}
}

func TestByteSizeRefusesTheRest(t *testing.T) {
	for _, text := range []string{"", "MiB", "-1", "+1", "1e3", "0x10", "1_000", "1..2", "12x", "1 2", "0.5", "1.0001k", "NaN", "inf", "99999999999G"} {
		if got, err := parseByteSize(text); !errors.Is(err, errByteSize) {
			t.Errorf("%q: %d, %v; want an error", text, got, err)
		}
	}
}

func TestByteSizePrints(t *testing.T) {
	for size, want := range map[byteSize]string{
		0: "0 B", 1023: "1023 B", 1024: "1 KiB", 1536: "1.50 KiB", 256 << 20: "256 MiB", 256<<20 + 1: "256.00 MiB",
		3 << 29: "1.50 GiB", 1<<64 - 1: "16 EiB",
	} {
		if got := size.String(); got != want {
			t.Errorf("%d: %q, want %q", uint64(size), got, want)
		}
	}
}
