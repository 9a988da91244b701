package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// leastWatch is the shortest time between two pictures.
const leastWatch = 100 * time.Millisecond

// watchFlag adds the flag --watch, whose value is 0 without it.
func watchFlag(cmd *cobra.Command) *time.Duration {
	every := cmd.Flags().Duration("watch", 0, "show it again and again, every second or as `often` as it says, in place on a terminal")
	cmd.Flags().Lookup("watch").NoOptDefVal = "1s"
	return every
}

// watch prints a picture again and again until ctx ends: in place on a terminal, else one
// behind the other. What cannot be drawn is shown as the error, since it may pass.
func watch(ctx context.Context, w io.Writer, every time.Duration, draw func() (string, error)) error {
	if every < leastWatch {
		return usageError(fmt.Errorf("--watch=%v", every), "at least %v", leastWatch)
	}
	begin := ""
	if screenOf(w).terminal {
		begin = clear
	}
	for {
		picture, err := draw()
		var code exitCode
		if err != nil && !errors.As(err, &code) {
			picture += failureText(err)
		}
		if s := screenOf(w); s.terminal {
			picture = inPlace(picture, s.height)
		}
		if _, err := io.WriteString(w, begin+picture); err != nil {
			return fmt.Errorf("print: %w", err)
		}
		begin = ""
		select {
		case <-time.After(every):
		case <-ctx.Done():
			return nil
		}
	}
}

// Of ECMA-48: the screen is cleared, the cursor goes to its first place, and what is right
// of the cursor, or below it, is cleared.
const (
	clear     = "\x1b[2J"
	home      = "\x1b[H"
	restEmpty = "\x1b[K"
	allEmpty  = "\x1b[J"
)

// inPlace has a picture take the place of the one before, and no more lines than the
// terminal has. Nothing is cleared before it is written over, so that nothing flickers.
func inPlace(picture string, height int) string {
	lines := strings.Split(strings.TrimSuffix(picture, "\n"), "\n")
	if height > 2 && len(lines) > height-1 {
		hidden := len(lines) - (height - 2)
		lines = append(lines[:height-2], fmt.Sprintf("… %s more", plural(hidden, "line")))
	}
	return home + strings.Join(lines, restEmpty+"\n") + restEmpty + "\n" + allEmpty
}
