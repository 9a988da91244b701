package main

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"fathom/tunnel/status"
)

// probeHops is `fathom probe --hops`.
func probeHops(cmd *cobra.Command, socket, peer string, names, asJSON bool) error {
	r, err := status.Hops(cmd.Context(), socket, peer)
	if err != nil {
		return err
	}
	if names {
		nameHops(cmd.Context(), r, net.DefaultResolver.LookupAddr)
	}
	if err := printEither(cmd, asJSON, r, hopsText(r)); err != nil {
		return err
	}
	if r.Forth == nil || !r.Forth.Reached {
		return exitCode(exitPeerDown)
	}
	return nil
}

// namesWithin bounds how long the names of all hops may take. One without a name keeps its
// address.
const namesWithin = 3 * time.Second

// nameHops looks up the names of the hops, all at once.
func nameHops(ctx context.Context, r *status.HopsReport, lookUp func(ctx context.Context, address string) ([]string, error)) {
	ctx, cancel := context.WithTimeout(ctx, namesWithin)
	defer cancel()
	var lookups sync.WaitGroup
	defer lookups.Wait()
	for _, way := range []*status.HopsWay{r.Forth, r.Back} {
		if way == nil {
			continue
		}
		for i := range way.Hops {
			hop := &way.Hops[i]
			if hop.Address == "" {
				continue
			}
			lookups.Go(func() {
				if found, err := lookUp(ctx, hop.Address); err == nil && len(found) > 0 {
					hop.Name = printable(strings.TrimSuffix(found[0], "."))
				}
			})
		}
	}
}

// printable returns a name as it may be shown on a terminal: whoever has the address has
// chosen it.
func printable(name string) string {
	return strings.Map(func(r rune) rune {
		if r < '!' || r > '~' {
			return '?'
		}
		return r
	}, name)
}

// hopsText returns a report as text: a table for each direction, and below it where
// packets vanish.
func hopsText(r *status.HopsReport) string {
	var b strings.Builder
	if r.Forth != nil {
		fmt.Fprintf(&b, "from here to %s, measured here\n", r.Peer)
		wayText(&b, r.Forth)
	}
	switch {
	case r.Back != nil:
		fmt.Fprintf(&b, "\nfrom %s to here, measured by %s\n", r.Peer, r.Peer)
		wayText(&b, r.Back)
	case r.BackProblem != "":
		fmt.Fprintf(&b, "\nfrom %s to here: not measured: %s\n", r.Peer, r.BackProblem)
	}
	return b.String()
}

func wayText(b *strings.Builder, w *status.HopsWay) {
	var rows strings.Builder
	table := tabwriter.NewWriter(&rows, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "hop\taddress\trtt\tbytes\t")
	for i := range w.Hops {
		h := &w.Hops[i]
		rtt, size := "", ""
		if h.RTTMillis != nil {
			rtt = fmt.Sprintf("%.1f ms", *h.RTTMillis)
		}
		if h.Size > 0 {
			size = fmt.Sprint(h.Size)
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", hopNumber(h), hopName(h), rtt, size, hopNote(w, i))
	}
	table.Flush()
	for row := range strings.Lines(rows.String()) {
		fmt.Fprintln(b, strings.TrimRight(row, " \n"))
	}
	for i := range w.Places {
		fmt.Fprintln(b, placeText(w, &w.Places[i]))
	}
	if len(w.Places) == 0 && len(w.Hops) > 0 {
		fmt.Fprintf(b, "packets of %d bytes get through\n", w.Hops[len(w.Hops)-1].Size)
	}
	if w.ClearsDF {
		b.WriteString("something on the path clears DF: probes arrived in fragments, so the sizes say nothing\n")
	}
	if !w.Complete {
		b.WriteString("the measurement is not complete: routers limit their answers, or the path is long\n")
	}
	fmt.Fprintf(b, "%s, %s, %.0f ms\n", plural(w.Probes, "probe"), plural(w.Fans, "fan"), w.TookMillis)
}

// hopName returns a hop's address, and its name if it has one.
func hopName(h *status.Hop) string {
	switch {
	case h.Address == "":
		return "*"
	case h.Name != "":
		return fmt.Sprintf("%s (%s)", h.Address, h.Name)
	}
	return h.Address
}

// hopNote returns what a hop says about larger packets.
func hopNote(w *status.HopsWay, i int) string {
	h := &w.Hops[i]
	for k := range w.Places {
		p := &w.Places[k]
		switch {
		case p.After != i:
		case p.Before == nil:
			return "silent: nothing comes back from behind it"
		case !tellsOf(h, p) && h.Tells && h.Told > 0:
			return fmt.Sprintf("tells %d, but packets above %d vanish", h.Told, p.Passes)
		case h.Tells:
		case w.Hops[*p.Before].Hop == h.Hop+1:
			return fmt.Sprintf("silent above %d: packets vanish between %s and the next hop", p.Passes, h.Address)
		default:
			return fmt.Sprintf("silent above %d: packets vanish between %s and hop %s", p.Passes, h.Address, hopPlace(w, *p.Before))
		}
	}
	switch {
	case h.Tells && h.Told > 0:
		return fmt.Sprintf("tells %d", h.Told)
	case h.Tells:
		return "tells that they are too large, but no size"
	}
	return ""
}

// tellsOf reports whether a hop tells of a place behind it: the MTU in its PTBs is not
// larger than what gets past. Sizes come in steps, so it may be a little larger.
func tellsOf(h *status.Hop, p *status.HopPlace) bool {
	return h.Tells && (h.Told < p.Fails || p.Fails == 0)
}

// placeText returns a place as a sentence.
func placeText(w *status.HopsWay, p *status.HopPlace) string {
	after := &w.Hops[p.After]
	if p.Before == nil {
		return fmt.Sprintf("nothing gets past hop %s, or no answer comes back from there", hopPlace(w, p.After))
	}
	if tellsOf(after, p) {
		return fmt.Sprintf("hop %s refuses packets above %d bytes, and says so", hopPlace(w, p.After), p.Passes)
	}
	text := fmt.Sprintf("packets above %d bytes vanish between hop %s and hop %s", p.Passes, hopPlace(w, p.After), hopPlace(w, *p.Before))
	if w.Hops[*p.Before].Hop > after.Hop+1 {
		text += ", and nothing between them answers"
	}
	return text
}

// hopNumber returns a hop's number.
func hopNumber(h *status.Hop) string {
	if h.Far {
		return fmt.Sprintf(">%d", h.Hop-1)
	}
	return fmt.Sprint(h.Hop)
}

// hopPlace returns a hop's number and address.
func hopPlace(w *status.HopsWay, i int) string {
	return fmt.Sprintf("%s (%s)", hopNumber(&w.Hops[i]), w.Hops[i].Address)
}
