package tunnel

import (
	"log/slog"
	"net/netip"
	"testing"

	"fathom/conf"
	"fathom/tunnel/host"
)

// notedHost notes what it is told.
type notedHost struct {
	testHost
	largest int // of the other interfaces
	device  int
	routes  map[netip.Prefix]host.Route
}

func (h *notedHost) LargestMTU() (int, error) { return h.largest, nil }
func (h *notedHost) SetMTU(mtu int) error     { h.device = mtu; return nil }
func (h *notedHost) Route(r host.Route) error { h.routes[r.Prefix] = r; return nil }

// TestWhatTheHostIsToldOfAPath: with carry the device grows with what the host
// may be given to forward and never shrinks, and only TCP is told of the path.
// With signal the device and the routes are as narrow as the path.
func TestWhatTheHostIsToldOfAPath(t *testing.T) {
	v4, v6 := netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("2001:db8::/48")
	type told struct{ device, mtu4, mss4, mtu6, mss6 int }
	type step struct {
		largest, plpmtu, egress int
		want                    told
	}
	for _, test := range []struct {
		name     string
		oversize string
		fixed    int
		begun    told
		steps    []step
	}{
		{"carry", conf.OversizeCarry, 0, told{1600, 0, 1378, 0, 1358}, []step{
			{1600, 1500, 1500, told{1600, 0, 1398, 0, 1378}},
			{1600, 1000, 1500, told{1600, 0, 898, 0, 878}},
			{9000, 576, 1500, told{9000, 0, 474, 0, 454}},
			{1500, 1500, 1500, told{9000, 0, 1398, 0, 1378}}, // the jumbo interface is gone
			{1500, 65535, 65535, told{65470, 0, 65430, 0, 65410}},
			{1500, 1500, 1500, told{65470, 0, 1398, 0, 1378}},
		}},
		{"carry, fixed", conf.OversizeCarry, 1400, told{1400, 0, 1360, 0, 1340}, []step{
			{9000, 1500, 1500, told{1400, 0, 1360, 0, 1340}},
			{9000, 1000, 1500, told{1400, 0, 898, 0, 878}},
		}},
		{"signal", conf.OversizeSignal, 0, told{1418, 1418, 0, 1418, 0}, []step{
			{9000, 1500, 1500, told{1438, 1438, 0, 1438, 0}},
			{9000, 1000, 1500, told{1280, 938, 0, 1280, 0}},
		}},
		{"signal, fixed", conf.OversizeSignal, 1400, told{1400, 1400, 0, 1400, 0}, []step{
			{9000, 1500, 1500, told{1400, 1400, 0, 1400, 0}},
			{9000, 1000, 1500, told{1400, 938, 0, 1280, 0}},
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			network := &notedHost{largest: 1600, routes: make(map[netip.Prefix]host.Route)}
			c := conf.Tunnel{Oversize: test.oversize, MTU: test.fixed, Routes: true}
			network.device = firstDeviceMTU(c) // as host.Attach does
			h := newHostMTUs(c, network, 4500, slog.New(slog.DiscardHandler))
			p := &peer{allowed: []netip.Prefix{v4, v6}}
			heard := func() told {
				return told{network.device, network.routes[v4].MTU, network.routes[v4].AdvMSS, network.routes[v6].MTU, network.routes[v6].AdvMSS}
			}
			if err := h.begin([]*peer{p}); err != nil {
				t.Fatal(err)
			}
			if got := heard(); got != test.begun {
				t.Errorf("at the start %+v, want %+v", got, test.begun)
			}
			for _, s := range test.steps {
				network.largest = s.largest
				h.lookAround()
				p.path = newPath(netip.MustParseAddrPort("198.51.100.1:4500"), netip.Addr{})
				p.path.deviceMTU = test.fixed
				p.path = p.path.with(s.plpmtu, s.plpmtu, s.egress)
				h.apply(p)
				if got := heard(); got != s.want {
					t.Errorf("%+v: %+v", s, got)
				}
			}
		})
	}
}
