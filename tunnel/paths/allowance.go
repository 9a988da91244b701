package paths

import (
	"net/netip"
	"slices"
)

const (
	// amplification is how many bytes may go to a place for each that came from
	// there, before it is proved (RFC 9000 section 8.1). Else a copied packet with a
	// forged source would turn the tunnel upon a third party.
	amplification = 3
	// messageSize is the most that a challenge or a response takes, in bytes of the
	// outer IP packet.
	messageSize = 104
)

// An allowance counts what has come from a place and what has gone there, in
// bytes of outer IP packets.
type allowance struct{ came, went uint64 }

// allows reports whether so many bytes more may go there.
func (a *allowance) allows(bytes int) bool {
	return a.went+uint64(bytes) <= amplification*a.came
}

// grant takes all that may go there but a challenge, which proves it if the first is
// lost.
func (a *allowance) grant() int {
	all := amplification*a.came - messageSize
	if amplification*a.came < messageSize || all <= a.went {
		return 0
	}
	granted := all - a.went
	a.went = all
	return int(granted)
}

// provedPlaces remembers the remotes at which the peer was. The place stays the
// peer's when the way there changes: a host that gets another address need not
// prove its peer's anew before it sends data.
type provedPlaces struct {
	places []netip.AddrPort
	next   int // the entry that the next one replaces, when there are rememberedPlaces
}

const rememberedPlaces = 2 * maxPaths

// add remembers a place, and forgets another when there are too many.
func (p *provedPlaces) add(place netip.AddrPort) {
	switch {
	case p.has(place):
	case len(p.places) < rememberedPlaces:
		p.places = append(p.places, place)
	default:
		p.places[p.next] = place
		p.next = (p.next + 1) % rememberedPlaces
	}
}

// has reports whether the peer was there.
func (p *provedPlaces) has(place netip.AddrPort) bool {
	return slices.Contains(p.places, place)
}
