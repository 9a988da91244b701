package tunnel

import (
	"errors"
	"time"

	"fathom/pmtud"
	"fathom/tunnel/control"
	"fathom/tunnel/udp"
)

// prober drives a discovery over a way to send: that of a path, and that of a
// probeRun. The probes and requests of all that belong to one peer have distinct
// tokens, so that an answer finds its prober by whatever path it comes. Owned by the
// control goroutine.
type prober struct {
	*pmtud.Discovery
	// A message's token is its ID, and this prober's token in the bits of mask.
	token, mask uint64
	actions     []pmtud.Action // scratch
}

// poll sends the due probes and requests.
func (b *prober) poll(now time.Time, send func(message []byte, size int) error) {
	b.actions = b.Poll(b.actions[:0], now)
	for _, a := range b.actions {
		switch a.Kind {
		case pmtud.SendProbe:
			if err := send(control.AppendToken(nil, control.Probe, b.token|a.ID), a.Size); err != nil {
				b.ProbeFailed(a.ID, errors.Is(err, udp.ErrTooBig), now)
			}
		case pmtud.SendReportRequest:
			_ = send(control.AppendToken(nil, control.ReportRequest, b.token|a.ID), 0)
		}
	}
}

// report takes in a receive report. It reports whether it answers a request of this
// prober's.
func (b *prober) report(token uint64, highest uint32, bits []uint64, now time.Time) bool {
	if token&b.mask != b.token {
		return false
	}
	b.Report(token&^b.mask, highest, bits, now)
	return true
}

// ack takes in the ack of a probe. It reports whether the probe was this
// prober's.
func (b *prober) ack(token uint64, fragmented bool, now time.Time) bool {
	if token&b.mask != b.token {
		return false
	}
	b.Ack(token&^b.mask, fragmented, now)
	return true
}
