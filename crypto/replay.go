package crypto

// ReplayGuard refuses initiations of one peer that were recorded and are sent
// again. The zero value has seen no initiation.
type ReplayGuard struct {
	latest uint64
}

// Accept takes note of the timestamp of an authentic initiation. The error is
// ErrReplayedInitiation if the timestamp is not later than all before it.
func (g *ReplayGuard) Accept(timestamp uint64) error {
	if timestamp <= g.latest {
		return ErrReplayedInitiation
	}
	g.latest = timestamp
	return nil
}
