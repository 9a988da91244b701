//go:build linux

package test

import (
	"encoding/json"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"testing"

	"fathom/test/gateway"
	"fathom/test/netlab"
	"fathom/test/netlab/labtest"
	"fathom/test/tier"
	"fathom/tunnel/status"
)

// hopsPath has five routers. Link i leads from host i to host i+1: host 0 is a, host 6 b.
//
//	a ─0─ r1 ─1─ r2 ─2─ r3 ─3─ r4 ─4─ r5 ─5─ b
type hopsPath struct {
	hosts  []*netlab.Host
	links  []*netlab.Link
	a, b   *gateway.Gateway
	family outer
}

const hopsRouters = 5

func newHopsPath(t testing.TB, family outer) *hopsPath {
	t.Helper()
	lab := labtest.New(t)
	l := &hopsPath{family: family, hosts: []*netlab.Host{lab.Host("a")}}
	for i := range hopsRouters + 1 {
		name := fmt.Sprintf("r%d", i+1)
		if i == hopsRouters {
			name = "b"
		}
		l.hosts = append(l.hosts, lab.Host(name))
		l.links = append(l.links, lab.Connect(l.hosts[i], l.hosts[i+1], linkConfig(
			netlab.Prefixes(fmt.Sprintf("10.%d.0.1/24", i), fmt.Sprintf("fd%02x::1/64", i)),
			netlab.Prefixes(fmt.Sprintf("10.%d.0.2/24", i), fmt.Sprintf("fd%02x::2/64", i)))))
	}
	for i, h := range l.hosts {
		if i > 0 && i <= hopsRouters {
			h.Forward()
		}
		for j := range l.links {
			to := netlab.Prefixes(fmt.Sprintf("10.%d.0.0/24", j), fmt.Sprintf("fd%02x::/64", j))
			switch {
			case j > i:
				h.AddRoute(to[0], l.links[i].B.Addr4())
				h.AddRoute(to[1], l.links[i].B.Addr6())
			case j < i-1:
				h.AddRoute(to[0], l.links[i-1].A.Addr4())
				h.AddRoute(to[1], l.links[i-1].A.Addr6())
			}
		}
	}
	l.a = newGateway(t, l.hosts[0], "10.77.0.1/24")
	l.b = newGateway(t, l.hosts[hopsRouters+1], "10.77.0.2/24")
	at := func(i *netlab.Interface) string {
		return net.JoinHostPort(l.addr(i).String(), fmt.Sprint(gateway.Port))
	}
	check(t, l.a.Configure("", gateway.Peer{Gateway: l.b, Endpoint: at(l.links[hopsRouters].B)}))
	check(t, l.b.Configure("", gateway.Peer{Gateway: l.a, Endpoint: at(l.links[0].A)}))
	return l
}

func (l *hopsPath) addr(i *netlab.Interface) netip.Addr {
	if l.family == overIPv6 {
		return i.Addr6()
	}
	return i.Addr4()
}

func (l *hopsPath) routers() []*netlab.Host { return l.hosts[1 : hopsRouters+1] }

// measure has a measure the hops to b, and b those to a.
func (l *hopsPath) measure(t *testing.T) (r status.HopsReport) {
	t.Helper()
	out, err := l.a.Command("probe", "-c", l.a.Config(), "--hops", "--json", "b").Output()
	check(t, err)
	check(t, json.Unmarshal(out, &r))
	if r.Forth == nil || r.Back == nil {
		t.Fatalf("%s", out)
	}
	return r
}

// hopsMode is how the routers answer. told: a router whose next link is narrow says so.
type hopsMode struct {
	name    string
	told    bool
	answers func(link, router int) bool // router counts from 1; link is the narrow one
	set     func(l *hopsPath, link int)
}

var hopsModes = []hopsMode{
	{"PTBs are cut", false, func(int, int) bool { return true }, func(l *hopsPath, _ int) {
		for _, r := range l.routers() {
			r.CutPTB(true)
		}
	}},
	{"ICMP is cut", false, func(int, int) bool { return false }, func(l *hopsPath, _ int) {
		for _, r := range l.routers() {
			r.CutICMP(true)
		}
	}},
	{"honest", true, func(int, int) bool { return true }, func(*hopsPath, int) {}},
	{"one router answers", false, func(link, router int) bool { return router == answersAlone(link) }, func(l *hopsPath, link int) {
		for i, r := range l.routers() {
			r.Mute(i+1 != answersAlone(link))
		}
	}},
	{"one router never answers", false, func(link, router int) bool { return router != neverAnswers(link) }, func(l *hopsPath, link int) {
		l.hosts[neverAnswers(link)].Mute(true)
	}},
}

// limited: the routers send no more Time Exceeded than any Linux does. Those of IPv6 have
// none left at first: while the limit is lifted, each one empties what Linux saves up.
var limited = hopsMode{"limited", false, func(int, int) bool { return true }, func(l *hopsPath, _ int) {
	for _, r := range l.routers() {
		r.CutPTB(true)
		r.SetICMPRateLimit(1000)
	}
}}

// answersAlone and neverAnswers choose the router; the latter is at the narrow link.
func answersAlone(link int) int { return (link+2)%hopsRouters + 1 }
func neverAnswers(link int) int { return max(1, link) }

// TestHops lets one link lose large packets, each in turn, and looks whether both ends
// find it, however the routers answer.
func TestHops(t *testing.T) {
	tier.Select(t, tier.Long, tier.EitherWay)
	t.Parallel()
	for _, family := range []outer{overIPv4, overIPv6} {
		version := map[outer]string{overIPv4: "IPv4", overIPv6: "IPv6"}[family]
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			l := newHopsPath(t, family)
			up(t, l.a, l.b)
			l.judgeWhole(t)
			fans, took := 0, 0.0
			l.lose(t, 2, limited)
			for link := range l.links {
				for i, mode := range hopsModes {
					// By turns; all of them at full size.
					if !tier.Full() && (link+i)%2 == 0 == (family == overIPv6) {
						continue
					}
					r := l.lose(t, link, mode)
					for _, w := range []*status.HopsWay{r.Forth, r.Back} {
						fans, took = max(fans, w.Fans), max(took, w.TookMillis)
					}
				}
			}
			tier.Figure(t, "the router that swallows packets, %s: named after %d fans and %.0f ms at most", version, fans, took)
			if fans > 12 {
				t.Errorf("%d fans", fans)
			}
		})
	}
}

// judgeWhole measures the whole path beside a transfer. All of it passes, and neither end
// loses or learns anything by that.
func (l *hopsPath) judgeWhole(t *testing.T) {
	t.Helper()
	exact(t, l.a, netlab.EthernetMTU)
	exact(t, l.b, netlab.EthernetMTU)
	before := [2]status.Peer{statusOf(t, l.a).Peers[0], statusOf(t, l.b).Peers[0]}
	client, server := connect(t, l.hosts[0], l.hosts[hopsRouters+1], innerB4)
	data := transferOver(t, paced{client, 1 << 20}, server)
	data.more(64 << 10)
	for range 3 {
		r := l.measure(t)
		for _, w := range []*status.HopsWay{r.Forth, r.Back} {
			if !w.Reached || len(w.Places) > 0 || len(w.Hops) != hopsRouters+2 || w.Hops[hopsRouters+1].Size != netlab.EthernetMTU {
				t.Errorf("a path that carries everything: %+v", w)
			}
		}
		data.more(64 << 10)
	}
	data.stop()
	for i, g := range []*gateway.Gateway{l.a, l.b} {
		after := statusOf(t, g).Peers[0]
		if was := before[i]; len(was.PMTUD.History) != len(after.PMTUD.History) || after.PMTUD.PLPMTU != netlab.EthernetMTU || after.Dropped["replay"] > 0 {
			t.Errorf("%s before: %+v\nand after: %+v", g.Name, was, after)
		}
	}
}

// lose has a link lose what is longer than 1400 bytes, and judges what both ends say.
func (l *hopsPath) lose(t *testing.T, link int, mode hopsMode) status.HopsReport {
	t.Helper()
	const mtu = 1400
	left, right := l.links[link].A, l.links[link].B
	mode.set(l, link)
	if mode.told {
		l.links[link].SetMTU(mtu)
		l.awaitEgress(t, link, mtu)
	} else {
		l.hosts[link].LoseLonger(mtu, left)
		l.hosts[link+1].LoseLonger(mtu, right)
	}
	defer func() {
		l.links[link].SetMTU(1500)
		l.awaitEgress(t, link, 1500)
		for _, h := range l.hosts {
			h.LoseLonger(0)
			h.CutPTB(false)
			h.CutICMP(false)
			h.Mute(false)
			h.SetICMPRateLimit(0)
		}
	}()
	r := l.measure(t)
	answers := []bool{true}
	for router := 1; router <= hopsRouters; router++ {
		answers = append(answers, mode.answers(link, router))
	}
	answers = append(answers, true)
	l.judge(t, fmt.Sprintf("link %d, %s, from a", link, mode.name), r.Forth, answers, link, mode.told)
	slices.Reverse(answers)
	l.judge(t, fmt.Sprintf("link %d, %s, from b", link, mode.name), r.Back, answers, hopsRouters-link, mode.told)
	return r
}

// awaitEgress waits until the ends know the MTU of their own links.
func (l *hopsPath) awaitEgress(t *testing.T, link, mtu int) {
	t.Helper()
	if link == 0 {
		await(t, l.a, func(s *status.Status) bool { return s.Peers[0].PMTUD.EgressMTU == mtu })
	}
	if link == hopsRouters {
		await(t, l.b, func(s *status.Status) bool { return s.Peers[0].PMTUD.EgressMTU == mtu })
	}
}

// judge compares a report with the path: the link, counted from the sender, and which
// hops answer.
func (l *hopsPath) judge(t *testing.T, name string, w *status.HopsWay, answers []bool, link int, told bool) {
	t.Helper()
	const passes, fails = 1400, 1404
	after, before := link, link+1
	for !answers[after] {
		after--
	}
	for !answers[before] {
		before++
	}
	if !w.Reached || !w.Complete || len(w.Hops) != hopsRouters+2 {
		t.Errorf("%s: %+v", name, w)
		return
	}
	for i, h := range w.Hops {
		if known := h.Address != ""; known != answers[i] || h.Peer != (i == hopsRouters+1) || known && i > 0 && h.RTTMillis == nil {
			t.Errorf("%s: hop %d is %+v", name, i, h)
		}
	}
	if told && link == 0 { // its own link: nothing is refused on the way
		if len(w.Places) != 0 || w.Hops[0].Size != passes {
			t.Errorf("%s: %+v", name, w)
		}
		return
	}
	if len(w.Places) != 1 {
		t.Errorf("%s: places %+v in %+v", name, w.Places, w.Hops)
		return
	}
	if p := w.Places[0]; p.After != after || p.Before == nil || *p.Before != before || p.Passes != passes || p.Fails != fails {
		t.Errorf("%s: %+v, want it between %d and %d; %+v", name, p, after, before, w.Hops)
	}
	if h := w.Hops[link]; told && (!h.Tells || h.Told != passes) {
		t.Errorf("%s: the router at the narrow link: %+v", name, h)
	}
}
