package main

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// byteSize is a number of bytes that people write with a unit.
type byteSize uint64

const (
	kibibyte = 1 << 10
	mebibyte = 1 << 20
	gibibyte = 1 << 30
)

// sizeUnits are what may stand behind a number, in lower case.
var sizeUnits = map[string]float64{
	"": 1, "b": 1,
	"k": kibibyte, "kib": kibibyte, "kb": 1e3,
	"m": mebibyte, "mib": mebibyte, "mb": 1e6,
	"g": gibibyte, "gib": gibibyte, "gb": 1e9,
}

// maxByteSize is where a float64 ceases to count single bytes.
const maxByteSize = 1 << 53

var errByteSize = errors.New("want a number of bytes, such as 256MiB, 1.5GiB or 1000000")

// parseByteSize reads "256MiB", "256 mib", "1.5G" or "1000".
func parseByteSize(s string) (byteSize, error) {
	unitAt := strings.LastIndexAny(s, "0123456789.") + 1
	unit, ok := sizeUnits[strings.ToLower(strings.TrimSpace(s[unitAt:]))]
	if !ok || strings.ContainsAny(s[:unitAt], "xXeEpP_+-") { // which ParseFloat takes
		return 0, errByteSize
	}
	n, err := strconv.ParseFloat(s[:unitAt], 64)
	n *= unit
	if err != nil || n > maxByteSize || n != math.Trunc(n) {
		return 0, errByteSize
	}
	return byteSize(n), nil
}

// String prints the number with a binary unit: "2.50 MiB", or "2 MiB" when it
// is exactly that.
func (b byteSize) String() string {
	const step = 1024
	if b < step {
		return fmt.Sprintf("%d B", uint64(b))
	}
	value, prefixes := float64(b)/step, "KMGTPE"
	for value >= step {
		value, prefixes = value/step, prefixes[1:]
	}
	if value == math.Trunc(value) {
		return fmt.Sprintf("%.0f %ciB", value, prefixes[0])
	}
	return fmt.Sprintf("%.2f %ciB", value, prefixes[0])
}

// Set and Type make it a flag.
func (b *byteSize) Set(s string) (err error) {
	*b, err = parseByteSize(s)
	return err
}

// Type is what the help shows.
func (*byteSize) Type() string { return "size" }
