package tunnel

import (
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"fathom/conf"
	"fathom/tunnel/host"
)

// addressesHost is a host with several addresses on its one interface, of which the kernel
// sends from the first if it has the choice.
type addressesHost struct {
	testHost
	chosen netip.Addr
}

func (h addressesHost) Egress(host.Flow) (host.Egress, error) {
	return host.Egress{MTU: h.mtu, Interface: 1}, nil
}

func (h addressesHost) Ways(_ netip.AddrPort, _ []string, remotes []netip.AddrPort) (list []host.Way) {
	for _, at := range remotes {
		list = append(list, host.Way{Remote: at, Local: h.chosen, Egress: host.Egress{MTU: h.mtu, Interface: 1}})
	}
	return list
}

// TestTheAddressThatWasCalledStays: a host answers from the address that it was called at,
// though the kernel would send from another one of the same interface.
func TestTheAddressThatWasCalledStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		left, right := newVirtualPair(t, conf.Tunnel{}, 0)
		left.controller.host.network = addressesHost{testHost{1500}, left.at.Addr()}
		primary := netip.MustParseAddr("192.0.2.200")
		right.others = append(right.others, primary)
		right.wire.ends[netip.AddrPortFrom(primary, 4500)] = right
		right.controller.host.network = addressesHost{testHost{1500}, primary}
		right.start(t)
		left.start(t)
		time.Sleep(time.Second)
		challenges := 0
		for _, end := range []*virtual{left, right} {
			end.do(func(time.Time) { end.messenger.sender = countChallenges{end.messenger.sender, &challenges} })
		}
		for range 2 * 60 * 5 {
			left.data()
			right.data()
			time.Sleep(200 * time.Millisecond)
		}
		from := func() (local netip.Addr) {
			right.do(func(time.Time) { local = right.peer.path.pair.Local })
			return local
		}
		if local := from(); local != right.at.Addr() {
			t.Errorf("sends from %v, was called at %v", local, right.at.Addr())
		}
		if challenges > 0 {
			t.Errorf("%d challenges or responses", challenges)
		}
		right.changes.Address(1, right.at.Addr(), false) // now it cannot stay
		until(t, time.Second, func() bool { return from() == primary })
	})
}
