package tunnel

import "sync/atomic"

// surgery counts what was done to inner packets, to or from one peer, to make
// them fit or to keep them true. Any goroutine may count.
type surgery struct {
	tcpCut      atomic.Uint64 // single TCP packets above the inner MTU that were cut
	fragmented  atomic.Uint64 // IPv4 packets that were fragmented
	split       atomic.Uint64 // packets that were sent in tunnel fragments
	reassembled atomic.Uint64 // packets put together out of tunnel fragments
	ptbs        atomic.Uint64 // PTBs sent to the hosts behind this end
	mssClamped  atomic.Uint64 // SYNs whose MSS was lowered
}

// SurgeryStatus is the counters of what was done to inner packets.
type SurgeryStatus struct {
	TCPCut          uint64 `json:"tcp_cut"`          // single TCP packets above the inner MTU that were cut
	Fragmented      uint64 `json:"fragmented"`       // IPv4 packets without DF that were fragmented
	TunnelFragments uint64 `json:"tunnel_fragments"` // packets that were sent in tunnel fragments
	Reassembled     uint64 `json:"reassembled"`      // packets that came in tunnel fragments
	PTBs            uint64 `json:"ptbs"`             // PTBs sent to the hosts behind this end
	MSSClamped      uint64 `json:"mss_clamped"`      // SYNs whose MSS was lowered
}

func (s *surgery) status() SurgeryStatus {
	return SurgeryStatus{
		TCPCut:          s.tcpCut.Load(),
		Fragmented:      s.fragmented.Load(),
		TunnelFragments: s.split.Load(),
		Reassembled:     s.reassembled.Load(),
		PTBs:            s.ptbs.Load(),
		MSSClamped:      s.mssClamped.Load(),
	}
}
