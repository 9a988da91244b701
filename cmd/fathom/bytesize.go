package main

import (
	"errors"
	"strings"

	"github.com/dustin/go-humanize"
)

// byteSize is a number of bytes that people read and write with a unit.
type byteSize uint64

var errByteSize = errors.New("want a number of bytes, such as 256MiB, 1.5GB or 1000000")

// String prints the number with a binary unit: "2.5 MiB", "256 MiB".
func (b byteSize) String() string { return strings.Replace(humanize.IBytes(uint64(b)), ".0 ", " ", 1) }

// Set and Type make it a flag: "256MiB" and "268MB" are about the same.
func (b *byteSize) Set(s string) error {
	n, err := humanize.ParseBytes(s)
	if err != nil {
		return errByteSize
	}
	*b = byteSize(n)
	return nil
}

// Type is what the help shows.
func (*byteSize) Type() string { return "size" }
