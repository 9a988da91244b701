package main

import (
	"fmt"
	"time"

	"fathom/tunnel/status"
)

// showsPaths reports whether a peer's pairs are worth lines: there are several, or one
// has failed.
func showsPaths(p *status.Peer) bool {
	return len(p.Paths) > 1 || len(p.Paths) == 1 && p.Paths[0].State == status.PathFailed
}

// pathLines describes each pair of a peer; the one in use has an asterisk.
func pathLines(p *status.Peer, now time.Time) (lines []string) {
	width := 0
	for _, path := range p.Paths {
		width = max(width, len(pairText(path.PathEnds)))
	}
	for _, path := range p.Paths {
		mark := ' '
		if path.InUse {
			mark = '*'
		}
		line := fmt.Sprintf("%c %-*s  %s", mark, width, pairText(path.PathEnds), path.State)
		if path.RTTMillis != nil {
			line += fmt.Sprintf(", %.1f ms", *path.RTTMillis)
		}
		if path.PLPMTU > 0 {
			line += fmt.Sprintf(", plpmtu %d", path.PLPMTU)
		}
		if !path.Offered {
			line += ", heard"
		}
		if path.InUse && path.Since != nil {
			line += ", in use for " + age(now, *path.Since)
		}
		lines = append(lines, line)
	}
	return lines
}

// pairText names the ends of a pair; a dash stands for what is not known.
func pairText(e status.PathEnds) string {
	or := func(s string) string {
		if s == "" {
			return "-"
		}
		return s
	}
	return fmt.Sprintf("%s %s > %s", or(e.Interface), or(e.Local), e.Remote)
}

// moveText describes a change of the pair in use.
func moveText(m status.PathMove, now time.Time) string {
	from := ""
	if m.From != nil {
		from = " from " + pairText(*m.From)
	}
	return fmt.Sprintf("%s ago%s to %s: %s", age(now, m.At), from, pairText(m.To), m.Cause)
}

// deciderTexts say which end decides by which pair both send.
var deciderTexts = map[status.Decider]string{
	status.DeciderThisEnd: "this end", status.DeciderPeer: "the peer", status.DeciderNone: "none, each end chooses",
}
