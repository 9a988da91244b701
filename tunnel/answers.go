package tunnel

import (
	"net/netip"
	"sync/atomic"

	"fathom/tunnel/host"
	"fathom/tunnel/udp"
)

// answers says by which uplink somebody is answered whose way nobody looks up: who asks
// to be let in, as often as strangers like, and gets a cookie reply or a challenge. Where
// there are uplinks these leave by the one that the message came by. From its address
// alone the kernel would send them by the uplink that it prefers, whose provider may
// drop them, as they come from another's (BCP 38).
//
// The control goroutine learns the ways; any goroutine may ask. The zero value knows
// none.
type answers struct {
	sources atomic.Pointer[map[reached]netip.Addr]
}

// reached is where a message has come in: an address of ours, and the index of an
// uplink that has it.
type reached struct {
	local netip.Addr
	index int
}

// anywhere stands for callers whose addresses nobody knows beforehand: a place of each
// family that a host reaches by a default route, if at all. They are reserved for
// documentation (RFC 5737, RFC 9637).
var anywhere = [...]netip.Addr{netip.AddrFrom4([4]byte{203, 0, 113, 255}), netip.MustParseAddr("3fff:fff::1")}

// learnAnswers asks the host for the ways out by the uplinks.
func (c *controller) learnAnswers() {
	if len(c.uplinks) == 0 {
		return
	}
	var to []netip.AddrPort
	for _, a := range anywhere {
		to = append(to, netip.AddrPortFrom(a, c.host.port))
	}
	c.answers.learn(c.waysTo(to))
}

// learn takes note of the ways from our addresses. What they say of the source of
// datagrams holds for all callers alike: see host.Way.
func (a *answers) learn(ways []host.Way) {
	sources := make(map[reached]netip.Addr)
	for i := range ways {
		w := &ways[i]
		sources[reached{w.Local, w.By()}] = w.Source
	}
	a.sources.Store(&sources)
}

// to returns where a message is answered. One that reached an address of ours by
// another interface than the one that has it is answered from that address, by the way
// that the kernel chooses.
func (a *answers) to(o origin) *udp.Destination {
	if sources := a.sources.Load(); sources != nil && o.index != 0 {
		if source, known := (*sources)[reached{o.local, o.index}]; known {
			return udp.NewDestinationBy(o.from, source, o.index)
		}
	}
	return udp.NewDestination(o.from, o.local)
}
