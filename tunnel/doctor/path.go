package doctor

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"fathom/tunnel/status"
)

// This file holds the checks of the path to a peer that is up.

func clearsDF(c *Case) (found []status.Finding) {
	for _, p := range c.peers() {
		s, facts := c.status(p.Name), c.Facts[p.Name]
		for _, way := range []struct {
			clears bool
			name   string
		}{{s != nil && s.PMTUD.ClearsDF, "to " + p.Name}, {facts != nil && facts.ClearsDF, "from " + p.Name}} {
			if way.clears {
				found = append(found, status.Finding{Code: status.FindingClearsDF, Peer: p.Name, What: fmt.Sprintf("something on the path %s clears DF and fragments packets: large ones are slow, or lost", way.name),
					Remedy: "find the router that does so (a firewall that \"scrubs\", a PPPoE modem) and switch that off; Fathom uses no size that arrives in fragments"})
			}
		}
	}
	return found
}

// mtuStep is the largest difference that the granularity of the search explains, in bytes.
const mtuStep = 8

func mtuByDirection(c *Case) (found []status.Finding) {
	for _, p := range c.peers() {
		s, facts := c.status(p.Name), c.Facts[p.Name]
		if s == nil || facts == nil || s.PMTUD.State != "search_complete" || !facts.Settled {
			continue
		}
		there, back := s.PMTUD.PLPMTU, facts.PLPMTU
		if max(there, back)-min(there, back) <= mtuStep {
			continue
		}
		narrow := "to " + p.Name
		if back < there {
			narrow = "from " + p.Name
		}
		found = append(found, status.Finding{Code: status.FindingMTUDiffers, Peer: p.Name, What: fmt.Sprintf("the path carries %d bytes to %s and %d from it", there, p.Name, back),
			Remedy: fmt.Sprintf("the direction %s has a narrow link or a wrong MTU: `fathom probe %s --hops` finds it", narrow, p.Name)})
	}
	return found
}

// keepalive: a peer that sees this end at an address or a port that it does not have sees a
// NAT, which forgets what is idle.
func keepalive(c *Case) (found []status.Finding) {
	if c.Status == nil {
		return nil
	}
	for _, p := range c.peers() {
		facts := c.Facts[p.Name]
		if facts == nil || !facts.SeenAt.IsValid() || p.Keepalive > 0 {
			continue
		}
		port := slices.ContainsFunc(c.Status.Listen, func(at string) bool {
			own, err := netip.ParseAddrPort(at)
			return err == nil && own.Port() == facts.SeenAt.Port()
		})
		if port && c.Host.has(facts.SeenAt.Addr().WithZone("")) {
			continue
		}
		found = append(found, status.Finding{Code: status.FindingNoKeepalive, Peer: p.Name, What: fmt.Sprintf("%s sees this end at %s: there is a NAT, whose mapping times out while nothing is sent", p.Name, facts.SeenAt),
			Remedy: fmt.Sprintf("set `keepalive = \"20s\"` for %s here, and `fathom reload`", p.Name)})
	}
	return found
}

// maxClockOff is how far clocks may differ. Handshakes bear much more; logs and backups are
// compared by them.
const maxClockOff = time.Minute

// clocks compares the peer's clock with the middle of the round trip in which it was told.
func clocks(c *Case) (found []status.Finding) {
	for _, p := range c.peers() {
		facts := c.Facts[p.Name]
		if facts == nil {
			continue
		}
		trip := max(0, facts.Answered.Sub(facts.Asked))
		off := facts.Clock.Sub(facts.Asked.Add(trip / 2))
		if off.Abs() <= maxClockOff+trip/2 {
			continue
		}
		word := "ahead of"
		if off < 0 {
			word = "behind"
		}
		found = append(found, status.Finding{Code: status.FindingClock, Peer: p.Name, What: fmt.Sprintf("the clock of %s is %v %s this host's", p.Name, off.Abs().Round(time.Second), word),
			Remedy: "set the clock of the end that is wrong, and have it kept: `timedatectl set-ntp true`"})
	}
	return found
}
