//go:build linux

package test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"fathom/test/gateway"
	"fathom/test/tier"
	"fathom/tunnel/history"
	"fathom/tunnel/status"
)

// TestHistoryOutlivesACrash shrinks the path in the middle of a transfer, kills the tunnel,
// and reads what happened: from the running tunnel, after the crash, and from the next run.
func TestHistoryOutlivesACrash(t *testing.T) {
	tier.Select(t, tier.EitherWay)
	t.Parallel()
	l := newLongPath(t, overIPv4, "")
	up(t, l.a, l.b)
	exact(t, l.a, 1500)
	l.R.CutPTB(true)
	l.S.CutPTB(true)
	data := transferring(t, l.A, l.B, innerB4)
	data.more(4 << 20)
	l.middle.SetMTU(1400)
	exact(t, l.a, 1400)
	data.more(4 << 20)
	remembers := func(runs bool) {
		t.Helper()
		var h *status.History
		for deadline := time.Now().Add(within); ; time.Sleep(5 * time.Millisecond) {
			if h = historyOf(t, l.a); shrink(h) >= 0 {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("no shrink: %+v", h)
			}
		}
		i := shrink(h)
		if before, after := history.Around(h.Records, i); before == nil || before.Traffic.TxBytes == 0 || runs && (after == nil || after.Traffic.TxBytes == 0) {
			t.Errorf("traffic before %+v, after %+v", before, after)
		}
		if r := h.Records[i]; r.Cause != "black hole" || h.Running != runs || h.Schema != status.HistorySchema || len(h.Peers) != 1 || h.Peers[0] != "b" {
			t.Errorf("%+v of %+v", r, h)
		}
		if text := output(t, l.a, "history", "b", "-c", l.a.Config()); !strings.Contains(text, "plpmtu from 1500 to 1400: black hole, settled after ") ||
			!strings.Contains(text, "The path shrank once, to 1400 bytes at the least.") {
			t.Errorf("it shows\n%s", text)
		}
	}
	remembers(true)
	l.a.Kill()
	remembers(false)
	check(t, l.a.Start())
	await(t, l.a, gateway.Established)
	data.more(4 << 20)
	data.stop()
	exact(t, l.a, 1400)
	h := historyOf(t, l.a)
	starts := 0
	for _, r := range h.Records {
		if r.Kind == history.Started {
			starts++
		}
	}
	if shrink(h) < 0 || starts != 2 || !h.Running {
		t.Errorf("%d starts, shrink %d in %+v", starts, shrink(h), h)
	}
	var s status.Status
	strictly(t, output(t, l.a, "status", "--json", "-c", l.a.Config()), &s)
	if s.Schema != status.StatusSchema {
		t.Error(s.Schema)
	}
}

// shrink returns the number of the record of the shrink from 1500 to 1400, -1 if there is
// none.
func shrink(h *status.History) int {
	for i, r := range h.Records {
		if r.Kind == history.Resized && r.From == 1500 && r.To == 1400 {
			return i
		}
	}
	return -1
}

// historyOf asks the command for what is remembered.
func historyOf(t *testing.T, g *gateway.Gateway) *status.History {
	t.Helper()
	h := new(status.History)
	strictly(t, output(t, g, "history", "--json", "-c", g.Config()), h)
	return h
}

// output runs a command, which has to succeed.
func output(t *testing.T, g *gateway.Gateway, args ...string) string {
	t.Helper()
	cmd := g.Command(args...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		t.Fatalf("fathom %v: %v\n%s%s", args, err, &out, &errs)
	}
	return out.String()
}

// strictly decodes a document that has no other fields than its type.
func strictly(t *testing.T, text string, into any) {
	t.Helper()
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		t.Fatalf("%v:\n%s", err, text)
	}
}
