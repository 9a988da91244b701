package tunnel

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"fathom/tunnel/host"
	"fathom/tunnel/status"
)

// upkeep has the host's Link put right what others change: when the watch tells
// of a change, and again when the Link's back-off is over.
type upkeep struct {
	network hostNetwork
	log     *slog.Logger
	changed chan struct{} // something of ours may have to be put right
	again   *time.Timer   // runs while something has to wait
}

func newUpkeep(network hostNetwork, log *slog.Logger) upkeep {
	again := time.NewTimer(time.Hour)
	again.Stop()
	return upkeep{network: network, log: log, changed: make(chan struct{}, 1), again: again}
}

// restore makes the repairs that are due, and logs one line for each kind of news.
func (u *upkeep) restore(now time.Time) {
	told, next := u.network.Restore(now)
	var repaired, contested, failed, lacking, displaced []string
	var rest time.Duration
	var failure error
	for _, r := range told {
		switch {
		case r.Displaced != "":
			displaced = append(displaced, r.Displaced)
		case errors.Is(r.Err, host.ErrNoIPv6):
			lacking = append(lacking, r.What)
		case r.Err != nil:
			failed = append(failed, r.What)
			failure = cmp.Or(failure, r.Err)
		case r.Contested:
			contested = append(contested, r.What)
			rest = max(rest, r.Rest)
		default:
			repaired = append(repaired, r.What)
		}
	}
	if len(repaired) > 0 {
		u.log.Info("changed by another program, and put right", "what", some(repaired))
	}
	if len(contested) > 0 {
		u.log.Warn("another program keeps changing what belongs to the tunnel: it is put right on and on, after a rest, and without a word", "what", some(contested), "next_after", rest)
	}
	if len(failed) > 0 {
		u.log.Warn("changed by another program, and cannot be put right yet", "what", some(failed), "error", failure)
	}
	if len(lacking) > 0 {
		u.log.Warn("the host has IPv6 switched off: what needs it is added when it has it", "what", some(lacking))
	}
	if len(displaced) > 0 {
		u.log.Warn("another program has put its routes in place of the tunnel's: they are left alone, and their traffic does not enter the tunnel", "routes", some(displaced))
	}
	u.again.Stop()
	if !next.IsZero() {
		u.again.Reset(next.Sub(now))
	}
}

// some returns the first of a list that may be long, for a line of a log.
func some(list []string) string {
	const most = 6
	if rest := len(list) - most; rest > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(list[:most], ", "), rest)
	}
	return strings.Join(list, ", ")
}

// status reports what the host makes of what belongs to the tunnel.
func (u *upkeep) status(now time.Time) status.Host {
	c := u.network.Condition(now)
	s := status.Host{Repaired: make(map[string]uint64, len(c.Repaired)), Contested: c.Contested, Displaced: c.Displaced}
	for kind, n := range c.Repaired {
		s.Repaired[string(kind)] = n
	}
	return s
}
