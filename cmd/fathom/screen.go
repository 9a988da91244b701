package main

import (
	"io"
	"os"

	"golang.org/x/term"
)

// screen is where text for people goes.
type screen struct {
	width, height int // in characters; a height of 0 has no end
	terminal      bool
	colours       bool
}

const (
	usualWidth = 80
	leastWidth = 40
	mostWidth  = 200
)

// screenOf returns what is known of an output. Colours are for terminals, unless NO_COLOR
// is set (no-color.org) or the terminal is a dumb one.
func screenOf(w io.Writer) screen {
	s := screen{width: usualWidth}
	if !onTerminal(w) {
		return s
	}
	s.terminal = true
	s.colours = os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
	if width, height, err := term.GetSize(int(w.(interface{ Fd() uintptr }).Fd())); err == nil && width > 0 {
		s.width, s.height = min(max(width, leastWidth), mostWidth), height
	}
	return s
}

// The colours are those of ECMA-48, which every terminal has.
const (
	red    = "\x1b[31m"
	green  = "\x1b[32m"
	yellow = "\x1b[33m"
	plain  = "\x1b[0m"
)

// paint colours text, if the screen has colours.
func (s screen) paint(colour, text string) string {
	if !s.colours || colour == "" {
		return text
	}
	return colour + text + plain
}
