package conf

import (
	"fmt"
	"strings"
	"testing"

	"fathom/test/tier"
)

// large are files of a MiB or more, each made to be much work for some
// part of the package.
var large = []struct {
	name         string
	head, tail   string
	line         func(i int) string
	leastReports int
}{
	{"keys that are not known", "[tunnel]\n", "", func(i int) string { return fmt.Sprintf("k%d=1\n", i) }, 50000},
	{"one key again and again", "[tunnel]\n", "", func(int) string { return "name=\"a\"\n" }, 50000},
	{"empty tables of peers", smallest, "", func(int) string { return "[[peer]]\n" }, 50000},
	{"peers with files", smallest, "", func(i int) string { return fmt.Sprintf("[[peer]]\nname=\"%d\"\npreshared_key_file=\"%d\"\n", i, i) }, 20000},
	{"peers in the network of the tunnel", smallest, "", func(i int) string {
		return fmt.Sprintf("[[peer]]\nendpoint=\"10.77.0.%d:%d\"\n", i&255, i>>8+1)
	}, 20000},
	{"tables of the tunnel with files", smallest, "", func(i int) string { return fmt.Sprintf("[tunnel]\nstatus_socket=\"%d\"\n", i) }, 20000},
	{"addresses of this end", "[tunnel]\nprivate_key_file=\"private.key\"\naddress=[\n", "]\n", func(i int) string { return fmt.Sprintf("\"10.%d.%d.%d/8\",\n", i>>16, i>>8&255, i&255) }, 1},
	{"prefixes of a peer", smallest + "[[peer]]\nallowed_ips=[\n", "]\nendpoint=\"10.0.0.1:1\"\n", func(i int) string { return fmt.Sprintf("\"10.%d.%d.%d/32\",\n", i>>16, i>>8&255, i&255) }, 2},
	{"lines that are no TOML", "", "", func(i int) string { return fmt.Sprintf("k%d=\n", i) }, maxSyntaxErrors},
	{"arrays in arrays", "x=", "", func(int) string { return "[" }, 1},
	{"one long string", "[tunnel]\nlisten=\"", "\"\n", func(int) string { return "x" }, 1},
	{"one long name", "[tunnel]\n", "=1\n", func(int) string { return "x" }, 1},
	{"one long number", "[tunnel]\nrekey_after_packets=", "\n", func(int) string { return "1" }, 1},
	{"bytes that are all zero", "", "", func(int) string { return "\x00" }, 1},
}

// largeFile fills size bytes.
func largeFile(size int, head, tail string, line func(i int) string) []byte {
	var b strings.Builder
	b.WriteString(head)
	for i := 0; ; i++ {
		l := line(i)
		if b.Len()+len(l)+len(tail) > size {
			break
		}
		b.WriteString(l)
	}
	b.WriteString(tail)
	return []byte(b.String())
}

// TestErrorsAboutMuchAreShort looks at smaller ones, for the time it takes.
func TestErrorsAboutMuchAreShort(t *testing.T) {
	tier.Select(t, tier.Quick, tier.Native)
	const size, part = 1 << 16, 16 // of a MiB
	for _, f := range large {
		t.Run(f.name, func(t *testing.T) {
			data := largeFile(size, f.head, f.tail, f.line)
			c, err := Parse("etc/f", data, keysByName)
			checkErrors(t, c, err, data)
			if list, _ := err.(Errors); len(list) < f.leastReports/(2*part) {
				t.Errorf("only %d mistakes", len(list))
			}
		})
	}
}

// BenchmarkLargestFiles shows that the work is about linear: the worst takes five seconds
// a MiB, all of them mistakes, and most far less.
func BenchmarkLargestFiles(b *testing.B) {
	for _, f := range large {
		b.Run(strings.ReplaceAll(f.name, " ", "-"), func(b *testing.B) {
			data := largeFile(maxFile, f.head, f.tail, f.line)
			b.ReportAllocs()
			b.SetBytes(int64(len(data)))
			for b.Loop() {
				_, err := Parse("f", data, keysByName)
				if list, _ := err.(Errors); len(list) < f.leastReports {
					b.Fatalf("only %d mistakes", len(list))
				}
			}
		})
	}
}
