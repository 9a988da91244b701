package tunnel

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"time"

	"fathom/tunnel/udp"
)

// virtualRouter is one of those between the ends, the first at the left one.
type virtualRouter struct {
	address netip.Addr // where its Time Exceeded come from; invalid: it sends none
	mtu     int        // of what it lets pass in silence
}

// hop has the routers of the path answer, or takes the probe to the other end.
func (v *virtual) hop(to *session, payload []byte, size int, hops uint8, _ variant) (seq uint32, err error) {
	seq = to.sa.Packets() + 1
	routers := slices.Clone(v.wire.routers)
	if v.at.Addr() != netip.MustParseAddr("192.0.2.1") {
		slices.Reverse(routers)
	}
	for i, r := range routers {
		if int(hops) == i+1 {
			_, err = to.sa.Reserve(1)
			if r.address.IsValid() {
				quote := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, to.sa.SPI()), seq)
				time.AfterFunc(v.wire.trip, func() {
					v.events.icmp(udp.ICMP{Kind: udp.TimeExceeded, By: r.address, To: to.path.Remote(), Quote: quote})
				})
			}
			return seq, err
		}
		if size > r.mtu {
			_, err = to.sa.Reserve(1)
			return seq, err
		}
	}
	return seq, v.control(to, payload, size)
}
