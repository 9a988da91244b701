package tunnel

import (
	"context"
	"errors"
	"testing"
	"time"

	"fathom/tunnel/control"
	"fathom/tunnel/status"
)

// TestAProbeEndsWithItsContext probes the path to a peer that has crashed, which
// leaves the run waiting for acks.
func TestAProbeEndsWithItsContext(t *testing.T) {
	left, right := startPair(t)
	right.shutdown(errCrash)
	p := left.tunnel.peers[0]
	enough := errors.New("enough")
	ctx, cancel := context.WithCancelCause(context.Background())
	failed := make(chan error, 1)
	go func() { _, err := left.ctl.probe(ctx, p.name); failed <- err }()
	running := func() (is bool) {
		if err := left.ctl.events.ask(context.Background(), func(*controller, time.Time) { is = p.probeRun != nil }); err != nil {
			t.Fatal(err)
		}
		return is
	}
	eventually(t, "a probe run", hanging, running)
	cancel(enough)
	if err := <-failed; !errors.Is(err, enough) {
		t.Fatalf("error %v", err)
	}
	if running() {
		t.Error("the probe run goes on")
	}
}

func TestALateAckDoesNotEnterTheNextProbe(t *testing.T) {
	left, right := startPair(t)
	right.shutdown(errCrash)
	p, c := left.tunnel.peers[0], left.ctl
	// acked acks every probe that a run may have sent, and returns what the run
	// under way then knows to pass.
	acked := func(token uint64) int {
		for id := range uint64(8 * 64) { // of few generations, and of few probes each
			elements, err := control.Parse(nil, control.AppendProbeAck(nil, token|id/64<<32|id%64, false))
			if err != nil || len(elements) != 1 {
				t.Fatalf("%v, %v", elements, err)
			}
			p.ack(elements[0], time.Now())
			c.continueProbeRun(p, time.Now())
			if p.probeRun == nil {
				return 0 // its search is over
			}
		}
		return p.probeRun.PLPMTU()
	}
	err := c.events.ask(context.Background(), func(_ *controller, now time.Time) {
		var tokens []uint64
		for range 2 {
			done := make(chan *status.ProbeReport, 1)
			p.probeRun = nil
			if err := p.beginProbeRun(done, now); err != nil {
				t.Error(err)
				return
			}
			c.continueProbeRun(p, now)
			tokens = append(tokens, p.probeRun.token)
		}
		before := p.probeRun.PLPMTU()
		if got := acked(tokens[0]); got != before {
			t.Errorf("acks of the former run change the PLPMTU from %d to %d", before, got)
		}
		if got := acked(tokens[1]); got == before {
			t.Errorf("acks of the run leave the PLPMTU at %d", got)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestOneProbeAtATime(t *testing.T) {
	left, right := startPair(t)
	right.shutdown(errCrash)
	ctx, cancel := context.WithCancel(context.Background())
	failed := make(chan error, 2)
	for range 2 {
		go func() { _, err := left.ctl.probe(ctx, left.tunnel.peers[0].name); failed <- err }()
	}
	if err := <-failed; !errors.Is(err, errBusyProbing) {
		t.Errorf("error %v", err)
	}
	cancel()
	if err := <-failed; !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}
