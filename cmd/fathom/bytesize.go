package main

import (
	"errors"
	"strings"
	"unicode"

	"github.com/dustin/go-humanize"
)

// byteSize is a number of bytes that people read and write with a unit.
type byteSize uint64

var errByteSize = errors.New("want a number of bytes, such as 256MiB, 1.5GiB or 1000000")

// String prints the number with a binary unit: "2.5 MiB", "256 MiB".
func (b byteSize) String() string { return strings.Replace(humanize.IBytes(uint64(b)), ".0 ", " ", 1) }

// Set reads the value of a flag. The units are those of the GNU core utilities,
// in upper or lower case: M and MiB are 2^20 bytes, MB is 10^6 bytes. The library
// takes M alone for MB, a comma for a separator of thousands, and half a byte for
// no byte.
func (b *byteSize) Set(s string) error {
	if i := len(s) - 1; i >= 0 && strings.ContainsRune("KMGTPE", unicode.ToUpper(rune(s[i]))) {
		s += "iB"
	}
	n, err := humanize.ParseBytes(s)
	if err != nil || strings.Contains(s, ",") || n == 0 && strings.ContainsAny(s, "123456789") {
		return errByteSize
	}
	*b = byteSize(n)
	return nil
}

// Type is what the help shows.
func (*byteSize) Type() string { return "size" }
