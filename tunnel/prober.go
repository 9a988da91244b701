package tunnel

import (
	"time"

	"fathom/pmtud"
	"fathom/tunnel/control"
)

// prober drives a discovery over a way to send: the discovery that the tunnel
// obeys, and that of a probeRun. The probes of all that share a path have
// distinct tokens. Owned by the control goroutine.
type prober struct {
	*pmtud.Discovery
	// A probe's token is its ID, the number of the packet, and this prober's token in
	// the bits of mask.
	token, mask uint64
	// variants are the ways in which a probe leaves; none: a single packet of best
	// effort.
	variants []variant
	packets  probePackets
	actions  []pmtud.Action // scratch
}

// poll sends the due probes and requests.
func (b *prober) poll(now time.Time, send probeWay) {
	b.Copies(len(b.variants))
	b.actions = b.Poll(b.actions[:0], now)
	for _, a := range b.actions {
		switch a.Kind {
		case pmtud.SendProbe:
			b.sendProbe(a, send, now)
		case pmtud.SendReportRequest:
			_ = send(control.AppendToken(nil, control.ReportRequest, a.ID), 0, variant{})
		}
	}
}
