package tunnel

import (
	"sync/atomic"

	"fathom/tunnel/status"
)

// surgery counts the changes made to inner packets, to or from one peer, to make
// them fit or to put them together again. Any goroutine may count.
type surgery struct {
	tcpCut      atomic.Uint64 // TCP packets above the inner MTU that were cut, segments of superpackets included
	fragmented  atomic.Uint64 // IPv4 packets that were fragmented
	split       atomic.Uint64 // packets that were sent in tunnel fragments
	reassembled atomic.Uint64 // packets put together out of tunnel fragments
	ptbs        atomic.Uint64 // PTBs sent to the hosts behind this end
	mssClamped  atomic.Uint64 // SYNs whose MSS was lowered
}

func (s *surgery) status() status.Surgery {
	return status.Surgery{
		TCPCut:          s.tcpCut.Load(),
		Fragmented:      s.fragmented.Load(),
		TunnelFragments: s.split.Load(),
		Reassembled:     s.reassembled.Load(),
		PTBs:            s.ptbs.Load(),
		MSSClamped:      s.mssClamped.Load(),
	}
}
