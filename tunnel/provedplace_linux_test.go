package tunnel

import (
	"errors"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"fathom/conf"
	"fathom/tunnel/host"
)

// flappingHost is a testHost whose one address, and all ways with it, come and go.
type flappingHost struct {
	testHost
	own  netip.Addr
	gone bool // owned by the control goroutine
}

func (h *flappingHost) Ways(_ netip.AddrPort, _ []string, remotes []netip.AddrPort) (list []host.Way) {
	for _, at := range remotes {
		if !h.gone {
			list = append(list, host.Way{Remote: at, Local: h.own, Egress: host.Egress{MTU: h.mtu, Interface: 1}})
		}
	}
	return list
}

func (h *flappingHost) Egress(host.Flow) (host.Egress, error) {
	if h.gone {
		return host.Egress{}, errors.New("network is unreachable")
	}
	return host.Egress{MTU: h.mtu, Interface: 1}, nil
}

// TestAMovedPeerIsFoundAfterAnOutageOfTheHost: it is not at its endpoint any more, all pairs
// were lost for a while, and it cannot find this end.
func TestAMovedPeerIsFoundAfterAnOutageOfTheHost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		left, right := newVirtualPair(t, conf.Tunnel{}, 0)
		h := &flappingHost{testHost: testHost{1500}, own: left.at.Addr()}
		left.host.network = h
		right.start(t)
		left.start(t)
		time.Sleep(time.Second)
		endpoint, there := right.at, netip.MustParseAddrPort("192.0.2.3:4500")
		right.appear(there)
		exchange := func() bool {
			left.data()
			right.data()
			return left.place() == there
		}
		until(t, time.Minute, exchange)

		left.wire.block(func(_, _ netip.AddrPort) bool { return true })
		left.do(func(time.Time) { h.gone = true })
		left.changes.Address(1, h.own, false)
		time.Sleep(10 * time.Second)
		// The host is back at another address: the peer does not know where.
		another := netip.MustParseAddrPort("192.0.2.9:4500")
		left.appear(another)
		left.do(func(time.Time) { h.gone, h.own = false, another.Addr() })
		left.changes.Address(1, another.Addr(), true)
		time.Sleep(time.Second)
		left.changes.Any() // it looks for its ways once more, before any works
		time.Sleep(time.Second)
		left.wire.block(nil)
		was := left.peer.rx.packets.Load()
		until(t, 10*time.Second, func() bool { return exchange() && left.peer.rx.packets.Load() > was })
		left.do(func(time.Time) {
			if left.peer.path.Remote() == endpoint {
				t.Error("it is sent to its endpoint")
			}
		})
	})
}
