package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"fathom/tunnel/status"
)

// statusText returns a status as text, in the manner of `wg show`. Facts that
// are unknown and events that have not happened have no line.
func statusText(s *status.Status, now time.Time) string {
	var b strings.Builder
	line := func(indent, name, format string, args ...any) {
		fmt.Fprintf(&b, "%s%s: %s\n", indent, name, fmt.Sprintf(format, args...))
	}
	line("", "tunnel", "%s", s.Name)
	line("  ", "public key", "%s", s.PublicKey)
	line("  ", "listening", "%s", strings.Join(s.Listen, ", "))
	if s.Absent {
		line("  ", "warning", "the host does not have that address: no packet comes or goes")
	}
	line("  ", "addresses", "%s", join(s.Addresses))
	line("  ", "mtu", "%d", s.MTU)
	if s.Table != 0 {
		line("  ", "default route", "table %d, all packets but those with mark %#x", s.Table, s.FwMark)
	} else if s.FwMark != 0 {
		line("  ", "fwmark", "%#x", s.FwMark)
	}
	line("  ", "offload", "%s", offloadText(s.Offload))
	if s.AESGCM != "" {
		line("  ", "aes-gcm", "%s", s.AESGCM)
	}
	line("  ", "running for", "%s", age(now, s.Started))
	if len(s.Dropped) > 0 {
		line("  ", "dropped", "%s", counters(s.Dropped))
	}
	if len(s.Host.Repaired) > 0 {
		line("  ", "put right", "%s", counters(s.Host.Repaired))
	}
	for _, what := range s.Host.Contested {
		line("  ", "warning", "another program keeps changing this: %s", what)
	}
	for _, route := range s.Host.Displaced {
		line("  ", "warning", "not in the tunnel, another program's route: %s", route)
	}
	if c := s.Stranger; c != nil {
		line("  ", "stranger", "public key %s called from %s %s ago, which no peer has (%s of strangers so far)", c.PublicKey, c.From, age(now, c.At), plural(int(c.Count), "call"))
	}
	for _, p := range s.Peers {
		b.WriteByte('\n')
		line("", "peer", "%s", p.Name)
		line("  ", "state", "%s", strings.ReplaceAll(string(p.State), "_", " "))
		if p.Problem != "" {
			line("  ", "warning", "%s", p.Problem)
		}
		attemptLines(line, p.Attempt, p.Problem, now)
		if p.Advice != "" {
			line("  ", "hint", "%s", p.Advice)
		}
		line("  ", "public key", "%s", p.PublicKey)
		if p.Endpoint != "" {
			line("  ", "endpoint", "%s", p.Endpoint)
		}
		line("  ", "allowed ips", "%s", join(p.AllowedIPs))
		if p.LastHandshake != nil {
			line("  ", "latest handshake", "%s ago (%d so far)", age(now, *p.LastHandshake), p.Handshakes)
		}
		if p.Cipher != "" {
			line("  ", "cipher", "%s, spi 0x%08x out, 0x%08x in", p.Cipher, p.SendSPI, p.ReceiveSPI)
		}
		if p.PMTUD.PLPMTU > 0 {
			line("  ", "plpmtu", "%d bytes, inner mtu %d, egress mtu %d", p.PMTUD.PLPMTU, p.PMTUD.InnerMTU, p.PMTUD.EgressMTU)
			line("  ", "plpmtu discovery", "%s", discoveryText(p.PMTUD))
		}
		if p.PMTUD.ClearsDF {
			line("  ", "warning", "something on the path clears DF: probes arrive in fragments and are not counted")
		}
		history := p.PMTUD.History
		for _, c := range history[max(0, len(history)-shownChanges):] {
			line("  ", "plpmtu change", "%s ago from %d to %d: %s", age(now, c.At), c.From, c.To, c.Cause)
		}
		if showsPaths(&p) {
			name := "paths: "
			for _, path := range pathLines(&p, now) {
				fmt.Fprintf(&b, "  %s%s\n", name, path)
				name = "       "
			}
			line("  ", "decider", "%s", deciderTexts[p.Decider])
			for _, m := range p.PathHistory[max(0, len(p.PathHistory)-shownChanges):] {
				line("  ", "path change", "%s", moveText(m, now))
			}
		}
		if p.RTTMillis != nil {
			line("  ", "rtt", "%.1f ms, %.1f %% loss", *p.RTTMillis, p.PMTUD.LossPercent)
		}
		line("  ", "transfer", "%s received (%s), %s sent (%s)",
			byteSize(p.RxBytes), plural(int(p.RxPackets), "packet"), byteSize(p.TxBytes), plural(int(p.TxPackets), "packet"))
		if done := surgeryText(p.Surgery); done != "" {
			line("  ", "made to fit", "%s", done)
		}
		if len(p.Dropped) > 0 {
			line("  ", "dropped", "%s", counters(p.Dropped))
		}
	}
	return b.String()
}

// attemptLines describe the attempt to reach a peer that is not up, nil for none. problem
// has been told already.
func attemptLines(line func(indent, name, format string, args ...any), a *status.Attempt, problem string, now time.Time) {
	if a == nil {
		return
	}
	if a.Number > 0 {
		text := fmt.Sprintf("%d, at %s", a.Number, a.Endpoint)
		if a.Next != nil && a.Next.After(now) {
			text += ", the next in " + age(*a.Next, now)
		}
		line("  ", "attempt", "%s", text)
	}
	if a.Detail != "" && a.Detail != problem {
		line("  ", "reason", "%s", a.Detail)
	}
}

// offloadText describes the kernel's offloads that the tunnel uses.
func offloadText(o status.Offload) string {
	var missing []string
	for _, f := range []struct {
		there bool
		name  string
	}{{o.DeviceTCP, "tcp superpackets"}, {o.DeviceUDP, "udp superpackets"}, {o.UDPSegment, "udp segmentation"}, {o.UDPGRO, "udp gro"}} {
		if !f.there {
			missing = append(missing, f.name)
		}
	}
	text := "all in use"
	if len(missing) > 0 {
		text = "without " + strings.Join(missing, ", ")
	}
	return fmt.Sprintf("%s; %s, socket buffers of %s to receive and %s to send",
		text, plural(o.Queues, "queue"), byteSize(uint64(o.ReceiveBuffer)), byteSize(uint64(o.SendBuffer)))
}

// shownChanges is how many changes of a PLPMTU, and of the pair in use, the text has.
// JSON has more.
const shownChanges = 5

// discoveryText describes the state of path MTU discovery.
func discoveryText(s status.PMTUD) string {
	if s.Source == "configuration" {
		return "off, fixed by the configuration"
	}
	text := strings.ReplaceAll(s.State, "_", " ")
	if s.FalseAlarms > 0 {
		text += ", " + plural(s.FalseAlarms, "false alarm")
	}
	return text
}

// surgeryText lists how many inner packets were changed, by kind of change.
func surgeryText(s status.Surgery) string {
	var list []string
	for _, item := range []struct {
		n    uint64
		what string
	}{
		{s.TCPCut, "TCP cut"}, {s.Fragmented, "fragmented"}, {s.TunnelFragments, "in tunnel fragments"},
		{s.Reassembled, "reassembled"}, {s.PTBs, "answered with a PTB"}, {s.MSSClamped, "MSS clamped"},
	} {
		if item.n > 0 {
			list = append(list, fmt.Sprintf("%d %s", item.n, item.what))
		}
	}
	return strings.Join(list, ", ")
}

func join[T fmt.Stringer](list []T) string {
	words := make([]string, len(list))
	for i, item := range list {
		words[i] = item.String()
	}
	return strings.Join(words, ", ")
}

// counters returns "other 1, reason 3" in alphabetical order, with the names
// that JSON has.
func counters(m map[string]uint64) string {
	var list []string
	for _, name := range slices.Sorted(maps.Keys(m)) {
		list = append(list, fmt.Sprintf("%s %d", name, m[name]))
	}
	return strings.Join(list, ", ")
}

// age returns the time since then in its two largest units: "2 days 3 hours".
func age(now, then time.Time) string {
	seconds := int(now.Sub(then) / time.Second)
	units := []struct {
		name   string
		length int
	}{{"day", 24 * 60 * 60}, {"hour", 60 * 60}, {"minute", 60}, {"second", 1}}
	var parts []string
	for _, u := range units {
		if n := seconds / u.length; n > 0 {
			parts = append(parts, plural(n, u.name))
			seconds -= n * u.length
		} else if len(parts) > 0 {
			break
		}
		if len(parts) == 2 {
			break
		}
	}
	if len(parts) == 0 {
		return "0 seconds" // also if the clock was set back
	}
	return strings.Join(parts, " ")
}
