//go:build linux

package netlab

import (
	"fmt"
	"net/netip"
	"slices"
)

// The methods in this file make a router misbehave. Each replaces what an
// earlier call of the same method set, and can be undone, while traffic flows.
// They act on packets the router forwards, CutPTB and CutICMP also on those it
// sends itself, Mute on those alone, LosePTB on those that it is sent, and LoseLonger on
// all that come in.

// CutPTB makes the router drop Fragmentation Needed (ICMP type 3 code 4) and
// Packet Too Big (ICMPv6 type 2): path MTU discovery by ICMP finds a black
// hole here.
func (h *Host) CutPTB(on bool) {
	h.filter(fmt.Sprintf("cut PTB: %v", on), func(r *ruleset) { r.cutPTB = on })
}

// LosePTB makes the host drop the PTBs that are sent to it, as its own firewall
// does: its senders never learn that a packet was too large.
func (h *Host) LosePTB(on bool) {
	h.filter(fmt.Sprintf("lose PTB: %v", on), func(r *ruleset) { r.losePTB = on })
}

// CutICMP makes the router drop all ICMP and ICMPv6 except neighbour
// discovery, as a careless firewall does: PTBs, other errors and echo.
func (h *Host) CutICMP(on bool) {
	h.filter(fmt.Sprintf("cut ICMP: %v", on), func(r *ruleset) { r.cutICMP = on })
}

// DropLonger makes the router drop IP packets of more than length bytes
// without a word; 0 ends it. With interfaces, only packets leaving by one of
// them. On links with offload a superpacket counts with its whole length, and
// while Masquerade is on fragments count as the packet they make up.
func (h *Host) DropLonger(length int, out ...*Interface) {
	h.filter(fmt.Sprintf("drop longer than %d", length), func(r *ruleset) {
		r.dropLonger, r.dropLongerOut = length, names(out)
	})
}

// LoseLonger makes the links at the given interfaces lose IP packets of more than length
// bytes that come in by them: the host never sees them. 0 ends it. On links with offload
// a superpacket counts with its whole length.
func (h *Host) LoseLonger(length int, in ...*Interface) {
	h.filter(fmt.Sprintf("lose longer than %d", length), func(r *ruleset) {
		r.loseLonger, r.loseLongerIn = length, names(in)
	})
}

// Mute makes the router send no ICMP and ICMPv6 of its own except neighbour discovery.
// What others send it forwards.
func (h *Host) Mute(on bool) {
	h.filter(fmt.Sprintf("mute: %v", on), func(r *ruleset) { r.mute = on })
}

// LossPercent makes the router drop each packet with the given probability in
// percent, resolved to a ten-thousandth; 0 ends it. With interfaces, only
// packets leaving by one of them. The kernel draws the numbers: for a run that
// can be repeated, use a UserLink.
func (h *Host) LossPercent(percent float64, out ...*Interface) {
	h.filter(fmt.Sprintf("lose %v %%", percent), func(r *ruleset) {
		r.lossPercent, r.lossOut = percent, names(out)
	})
}

// ClearDF makes the router clear the Don't Fragment bit of IPv4 packets that
// come in. It then fragments those that are too long for the next link. (RFC 791
// and 6864 forbid it; middleboxes do it.)
func (h *Host) ClearDF(on bool) {
	h.filter(fmt.Sprintf("clear DF: %v", on), func(r *ruleset) { r.clearDF = on })
}

// Masquerade makes the router translate the source address, and the port where
// it must, of what leaves by the given interfaces to its own address there;
// without interfaces it ends. Known connections keep their translation.
func (h *Host) Masquerade(out ...*Interface) {
	h.filter("masquerade", func(r *ruleset) { r.masquerade = names(out) })
}

// Translate makes the router translate the IPv4 source address, and the port where it
// must, of what leaves by an interface to the one given, until it is given another;
// an invalid address ends it. Known connections keep their translation.
func (h *Host) Translate(out *Interface, to netip.Addr) {
	h.filter(fmt.Sprintf("translate to %v", to), func(r *ruleset) { r.translate, r.translateOut = to, out.name })
}

// filter changes the rules and puts them into force in one transaction, which
// no packet sees half of.
func (h *Host) filter(op string, change func(*ruleset)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	next := h.rules
	change(&next)
	err := h.Do(next.install)
	if err == nil {
		h.rules = next
	}
	h.check(op, err)
}

func names(interfaces []*Interface) []string {
	list := make([]string, 0, len(interfaces))
	for _, i := range interfaces {
		list = append(list, i.name)
	}
	slices.Sort(list)
	return slices.Compact(list)
}
