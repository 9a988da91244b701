package pmtud

// A budget bounds the next fan.
type budget struct{ packets, bytes int }

// initialBudget is an initial window (RFC 9002, 7.2).
var initialBudget = budget{fanPackets, fanBytes}

// adapt sizes the next fan by the result of the last. A fan that did no harm
// lets the next have twice the bytes, as slow start would, so that jumbo sizes
// can be searched: up to ten packets of MAX_PLPMTU. A fan halves packets and
// bytes if half of its fitting probes were lost, or if nothing answered it.
func (b *budget) adapt(r result, maxPLPMTU int) {
	if !r.heard || r.fitting > 1 && 2*r.fittingLost >= r.fitting {
		b.packets = max(b.packets/2, minFan)
		b.bytes = max(b.bytes/2, fanBytes/2)
		return
	}
	b.packets = min(2*b.packets, fanPackets)
	b.bytes = min(2*b.bytes, fanPackets*maxPLPMTU)
}
