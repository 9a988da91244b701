package tunnel

import (
	"errors"
	"time"

	"fathom/pmtud"
	"fathom/tunnel/control"
	"fathom/tunnel/udp"
)

// prober drives a discovery over a way to send: the discovery that the tunnel
// obeys, and that of a probeRun. The probes of all that share a path have
// distinct tokens. Owned by the control goroutine.
type prober struct {
	*pmtud.Discovery
	// A probe's token is its ID, and this prober's token in the bits of mask.
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
			_ = send(control.AppendToken(nil, control.ReportRequest, a.ID), 0)
		}
	}
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
