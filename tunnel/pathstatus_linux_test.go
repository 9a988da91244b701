package tunnel

import (
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"fathom/conf"
	"fathom/crypto"
	"fathom/esp"
	"fathom/tunnel/host"
	"fathom/tunnel/paths"
	"fathom/tunnel/status"
)

// uplinkHost is a testHost with uplinks; all of their addresses reach every place.
type uplinkHost struct {
	testHost
	ways  []host.Way // without a place
	gone  netip.Addr
	asked int
}

func (h *uplinkHost) Ways(_ netip.AddrPort, _ []string, remotes []netip.AddrPort) (ways []host.Way) {
	h.asked++
	for _, w := range h.ways {
		for _, w.Remote = range remotes {
			ways = append(ways, w)
		}
	}
	return ways
}

func (h *uplinkHost) Egress(flow host.Flow) (host.Egress, error) {
	h.asked++
	return host.Egress{MTU: h.mtu, Interface: flow.Interface}, nil
}

func wayBy(name string, index int, local string) host.Way {
	at := netip.MustParseAddr(local)
	return host.Way{Uplink: name, Local: at, Source: at, Egress: host.Egress{MTU: 1500, Interface: index, Name: name}}
}

// seen returns what the status says of the only peer.
func (v *virtual) seen() (s status.Peer) {
	v.do(func(now time.Time) { s = v.peer.status(now) })
	return s
}

// pathOf returns what the status says of a pair.
func (v *virtual) pathOf(ends status.PathEnds) status.Path {
	for _, p := range v.seen().Paths {
		if p.PathEnds == ends {
			return p
		}
	}
	return status.Path{}
}

// TestStatusNamesThePairs: the interfaces have names, also those that are gone, and the
// host is not asked for them.
func TestStatusNamesThePairs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		left, right := newVirtualPair(t, conf.Tunnel{Uplinks: []string{"eth0", "wwan0"}}, 0)
		h := &uplinkHost{testHost: testHost{1500}, ways: []host.Way{wayBy("eth0", 2, "192.0.2.1"), wayBy("wwan0", 7, "198.51.100.1")}}
		left.host.network = h
		began := time.Now()
		right.start(t)
		left.start(t)
		const remote = "192.0.2.2:4500"
		eth := status.PathEnds{Interface: "eth0", Local: "192.0.2.1", Remote: remote}
		wwan := status.PathEnds{Interface: "wwan0", Local: "198.51.100.1", Remote: remote}
		until(t, 2*time.Minute, func() bool { return left.pathOf(eth).InUse && right.seen().Decider == status.DeciderPeer })

		asked := h.asked
		if s := left.seen(); s.Decider != status.DeciderThisEnd {
			t.Errorf("the decider is %q", s.Decider)
		}
		if p := left.pathOf(eth); p.State != status.PathProved || !p.Offered || p.PLPMTU != 1400 || p.RTTMillis == nil || *p.RTTMillis != 20 ||
			p.Since == nil || p.Since.Before(began) || p.Since.After(time.Now()) {
			t.Errorf("in use: %+v", p)
		}
		if p := left.pathOf(wwan); p.InUse || !p.Offered || p.Since != nil || p.PLPMTU != 0 {
			t.Errorf("not in use: %+v", p)
		}
		if h.asked != asked {
			t.Errorf("the host was asked %d times for a status", h.asked-asked)
		}

		left.do(func(now time.Time) { // eth0 is unplugged
			h.gone, h.ways = h.ways[0].Local, h.ways[1:]
			left.peer.paths.Withdraw(func(p paths.Pair) bool { return p.Local == h.gone }, now)
			left.offerWays(left.peer, now)
			left.followPaths(left.peer, now)
		})
		if !left.pathOf(wwan).InUse {
			t.Errorf("pairs: %+v", left.seen().Paths)
		}
		history := left.seen().PathHistory
		last := history[len(history)-1]
		last.At = time.Time{}
		if diff := cmp.Diff(status.PathMove{From: &eth, To: wwan, Cause: "link_down"}, last); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
		if first := history[0]; first.From != nil || first.Cause != "start" {
			t.Errorf("the first move is %+v", first)
		}
	})
}

// TestNobodyDecidesWithAnOldPeer that knows no challenges, however many pairs this end
// has: it cannot be told decisions.
func TestNobodyDecidesWithAnOldPeer(t *testing.T) {
	for _, old := range []bool{false, true} {
		want := status.DeciderThisEnd
		var features uint64 = featurePaths
		if old {
			want, features = status.DeciderNone, 0
		}
		v := newWire().newVirtual(t, "192.0.2.1:4500", crypto.PrivateKey{1}, conf.Tunnel{}, conf.Peer{PublicKey: conf.Key{2}})
		now := time.Now()
		v.peer.decides = true
		spi := v.spis.unused()
		pair, err := v.handshaker.pair(v.peer, v.peer.public, crypto.Keys{SendSPI: spi, ReceiveSPI: spi, Suite: uint16(esp.AES256GCM), PeerFeatures: features}, true, now)
		if err != nil {
			t.Fatal(err)
		}
		v.install(outcome{peer: v.peer, pair: pair}, origin{from: netip.MustParseAddrPort("192.0.2.2:4500"), local: v.at.Addr()}, now)
		if got := v.peer.status(now).Decider; got != want {
			t.Errorf("features %b: the decider is %q, want %q", features, got, want)
		}
	}
}

// TestUplinkNamesAreBounded, and know the present ones.
func TestUplinkNamesAreBounded(t *testing.T) {
	var names uplinkNames
	for index := range 10 * maxUplinkNames {
		names.learn([]host.Way{wayBy("eth0", 1, "192.0.2.1"), wayBy("ppp0", index+2, "192.0.2.2"), {Egress: host.Egress{Interface: index, Name: "eth1"}}})
		if len(names) > maxUplinkNames || names[1] != "eth0" || names[index+2] != "ppp0" {
			t.Fatalf("%d names: %v", len(names), names)
		}
	}
}
