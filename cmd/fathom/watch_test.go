package main

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"time"
)

// frames is an output that ends a watch after some writes.
type frames struct {
	written []string
	enough  int
	end     context.CancelFunc
}

func (f *frames) Write(data []byte) (int, error) {
	f.written = append(f.written, string(data))
	if len(f.written) == f.enough {
		f.end()
	}
	return len(data), nil
}

// TestWatchIsPlainWithoutATerminal: each picture is one write, without an escape sequence,
// and an error is part of the picture.
func TestWatchIsPlainWithoutATerminal(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	out, n := &frames{enough: 3, end: cancel}, 0
	err := watch(ctx, out, leastWatch, func() (string, error) {
		n++
		switch n {
		case 2:
			return "two\n", errors.New("it rains")
		case 3:
			return "three\n", exitCode(3)
		}
		return "one\n", nil
	})
	if want := "one\n|two\nfathom: error: it rains\n|three\n"; err != nil || strings.Join(out.written, "|") != want {
		t.Errorf("%q, %v", out.written, err)
	}
	if err := watch(ctx, out, time.Millisecond, nil); exitCodeOf(err) != exitUsage {
		t.Error(err)
	}
}

// screenful is a terminal as far as the pictures of watch use one: it shows what is seen
// after some output.
func screenful(output string) string {
	var lines []string
	row := 0
	for output != "" {
		switch {
		case strings.HasPrefix(output, home):
			row, output = 0, output[len(home):]
		case strings.HasPrefix(output, clear):
			lines, output = nil, output[len(clear):]
		case strings.HasPrefix(output, allEmpty):
			lines, output = lines[:min(row, len(lines))], output[len(allEmpty):]
		default:
			line, rest, _ := strings.Cut(output, "\n")
			text, ok := strings.CutSuffix(line, restEmpty)
			if row == len(lines) {
				lines = append(lines, "")
			}
			if !ok { // what stood there shows through
				text += lines[row][min(len(text), len(lines[row])):]
			}
			lines[row], output, row = text, rest, row+1
		}
	}
	return strings.Join(lines, "\n")
}

func TestAPictureTakesThePlaceOfTheOneBefore(t *testing.T) {
	out := clear
	for _, test := range []struct {
		picture string
		height  int
		want    string
	}{
		{"a long line\nanother\nand a third\n", 24, "a long line\nanother\nand a third"},
		{"short\n", 24, "short"},
		{"1\n2\n3\n4\n5\n", 5, "1\n2\n3\n… 2 lines more"},
		{"1\n2\n3\n4\n", 5, "1\n2\n3\n4"},
		{"1\n2\n3\n4\n", 0, "1\n2\n3\n4"},
	} {
		out += inPlace(test.picture, test.height)
		if got := screenful(out); got != test.want {
			t.Errorf("shows %q, want %q", got, test.want)
		}
	}
}

func TestColoursAreForTerminalsThatWantThem(t *testing.T) {
	if s := screenOf(&strings.Builder{}); s.colours || s.terminal || s.width != usualWidth {
		t.Errorf("%+v", s)
	}
	ptmx, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skip(err)
	}
	defer ptmx.Close()
	for _, test := range []struct {
		noColor, term string
		want          bool
	}{{"", "xterm", true}, {"1", "xterm", false}, {"", "dumb", false}} {
		t.Setenv("NO_COLOR", test.noColor)
		t.Setenv("TERM", test.term)
		s := screenOf(ptmx)
		if !s.terminal || s.colours != test.want {
			t.Errorf("%+v: %+v", test, s)
		}
		if text := s.paint(red, "x"); (text != "x") != test.want {
			t.Errorf("%q", text)
		}
	}
}
