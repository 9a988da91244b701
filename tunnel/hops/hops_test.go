package hops

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"fathom/test/tier"
)

// config is that of a host with an Ethernet, whose discovery has found a size.
func config(found int) Config {
	return Config{Small: 100, Top: 1500, Step: 4, Hint: found, RoundTrip: 20 * time.Millisecond}
}

// expected returns the places of a path, drawn from what it is. Routers that send PTBs
// alone are known where they are the first to refuse a size.
func (p *simPath) expected() (list []string) {
	after, size := 0, 1500
	at := size // what gets to the hop after
	for i, l := range p.links {
		before := size
		size = min(size, 100+(l.mtu-100)/4*4)
		if i > 0 && !p.routers[i-1].expires && p.routers[i-1].tells && size < before && before == at {
			after = i
		}
		if i < len(p.routers) && !p.routers[i].expires {
			continue
		}
		if size < at {
			list = append(list, fmt.Sprintf("%d-%d passes %d fails %d", after, i+1, size, size+4))
		}
		after, at = i+1, size
	}
	return list
}

// modes are how the routers of a path answer.
func modes(routers int) map[string]func(i int) simRouter {
	list := map[string]func(i int) simRouter{
		"honest":       func(int) simRouter { return simRouter{expires: true, tells: true} },
		"PTBs are cut": func(int) simRouter { return simRouter{expires: true} },
		"ICMP is cut":  func(int) simRouter { return simRouter{} },
		"PTBs alone":   func(int) simRouter { return simRouter{tells: true} },
		"limited":      func(int) simRouter { return simRouter{expires: true, limited: true} },
		"limited PTBs": func(int) simRouter { return simRouter{expires: true, tells: true, limited: true} },
	}
	for r := range routers {
		list[fmt.Sprintf("router %d alone answers", r+1)] = func(i int) simRouter { return simRouter{expires: i == r, tells: i == r} }
		list[fmt.Sprintf("router %d never answers", r+1)] = func(i int) simRouter { return simRouter{expires: i != r} }
		list[fmt.Sprintf("router %d sends PTBs alone", r+1)] = func(i int) simRouter { return simRouter{expires: i != r, tells: true} }
	}
	return list
}

// TestOneBlackHole at each link in turn, of several sizes, however routers answer: the
// right place, exactly, in a few fans.
func TestOneBlackHole(t *testing.T) {
	tier.Select(t, tier.Quick, tier.Native)
	const routers = 5
	longest, most := time.Duration(0), 0
	for name, mode := range modes(routers) {
		for link := range routers + 1 {
			for _, mtu := range []int{1399, 1280, 576} {
				for _, hint := range []int{0, 100 + (mtu-100)/4*4, 1500, 104} {
					for _, trip := range []time.Duration{300 * time.Microsecond, 20 * time.Millisecond, 100 * time.Millisecond} {
						p := newSimPath(routers)
						p.links[link].mtu, p.trip = mtu, trip
						for i := range p.routers {
							p.routers[i] = mode(i)
						}
						c := config(hint)
						c.RoundTrip = trip
						began := p.now
						r := p.run(c)
						if diff := cmp.Diff(p.expected(), places(r)); diff != "" || !r.Reached || !r.Complete {
							t.Errorf("%s, link %d of %d, hint %d, round trip %v: reached %v, complete %v, %s\n%+v", name, link, mtu, hint, trip, r.Reached, r.Complete, diff, r.Hops)
						}
						longest, most = max(longest, p.now.Sub(began)), max(most, r.Fans)
						if took := p.now.Sub(began); took > 2*time.Second || r.Fans > 10 {
							t.Errorf("%s, link %d of %d, hint %d, round trip %v: %v, %d fans", name, link, mtu, hint, trip, took, r.Fans)
						}
					}
				}
			}
		}
	}
	t.Logf("%v and %d fans at most", longest, most)
}

// TestRoutersThatAreDrained have sent others all messages that they send at once. Linux
// then answers one probe a second, and older kernels four over IPv6: that takes longer,
// and all the same no router is taken for one that never answers.
func TestRoutersThatAreDrained(t *testing.T) {
	tier.Select(t, tier.Quick, tier.Native)
	const routers = 5
	for often, within := range map[float64]time.Duration{1: maxLasts, 4: 3 * time.Second} {
		longest, most, probes := time.Duration(0), 0, 0
		for link := range routers + 1 {
			for _, hint := range []int{0, 1400, 1500} {
				for _, trip := range []time.Duration{300 * time.Microsecond, 20 * time.Millisecond, 100 * time.Millisecond} {
					p := newSimPath(routers)
					p.links[link].mtu, p.trip = 1400, trip
					for i := range p.routers {
						p.routers[i] = simRouter{expires: true, limited: true, drained: true, often: often}
					}
					c := config(hint)
					c.RoundTrip = trip
					began := p.now
					r := p.run(c)
					took := p.now.Sub(began)
					if diff := cmp.Diff(p.expected(), places(r)); diff != "" || !r.Complete || took > within {
						t.Errorf("%v a second, link %d, hint %d, round trip %v: complete %v, %v, %d fans, %d probes, %s\n%+v", often, link, hint, trip, r.Complete, took, r.Fans, r.Probes, diff, r.Hops)
					}
					longest, most, probes = max(longest, took), max(most, r.Fans), max(probes, r.Probes)
				}
			}
		}
		t.Logf("%v a second: %v, %d fans and %d probes at most", often, longest, most, probes)
	}
}

// TestSeveralNarrowLinks are all found.
func TestSeveralNarrowLinks(t *testing.T) {
	tier.Select(t, tier.Quick, tier.Native)
	random := rand.New(rand.NewPCG(5, 6))
	for range 2000 {
		routers := 1 + random.IntN(14)
		p := newSimPath(routers)
		p.trip = time.Duration(1+random.IntN(100)) * time.Millisecond
		for i := range p.routers {
			p.routers[i] = simRouter{expires: random.IntN(4) > 0, tells: random.IntN(2) > 0}
		}
		size := 1500
		for range 1 + random.IntN(3) {
			p.links[random.IntN(routers+1)].mtu = 576 + random.IntN(925)
		}
		for _, l := range p.links {
			size = min(size, l.mtu)
		}
		r := p.run(config([]int{0, 100 + (size-100)/4*4}[random.IntN(2)]))
		if diff := cmp.Diff(p.expected(), places(r)); diff != "" || !r.Complete {
			t.Errorf("%+v\n%+v\ncomplete %v: %s\n%+v", p.links, p.routers, r.Complete, diff, r.Hops)
		}
	}
}

// TestLossIsNoPlace: what is lost by chance names no place.
func TestLossIsNoPlace(t *testing.T) {
	tier.Select(t, tier.Quick, tier.Native)
	random := rand.New(rand.NewPCG(7, 8))
	wrong := 0
	const runs = 2000
	for range runs {
		p := newSimPath(5)
		p.loss, p.random = 0.05, random
		link := random.IntN(7)
		if link < 6 {
			p.links[link].mtu = 1400
		}
		for i := range p.routers {
			p.routers[i].tells = false
		}
		if r := p.run(config([]int{1400, 1500}[link/6])); !slices.Equal(p.expected(), places(r)) {
			wrong++
		}
	}
	t.Logf("%d of %d wrong at a loss of 5 %%", wrong, runs)
	if wrong > runs/200 {
		t.Errorf("%d of %d are wrong", wrong, runs)
	}
}

// TestNothingIsLost: where all sizes pass there is no place.
func TestNothingIsLost(t *testing.T) {
	for name, mode := range modes(5) {
		for _, routers := range []int{0, 1, 5, 7, 8, 20, MaxHops - 1} {
			p := newSimPath(routers)
			for i := range p.routers {
				p.routers[i] = mode(i)
			}
			r := p.run(config(1500))
			if len(r.Places()) != 0 || !r.Reached || !r.Complete || len(r.Hops) != routers+2 || r.Hops[routers+1].Far || r.Hops[routers+1].Size != 1500 {
				t.Errorf("%s, %d routers: %+v", name, routers, r)
			}
			for i := range p.routers {
				if h := r.Hops[i+1]; h.Addr.IsValid() != p.routers[i].expires || h.Peer {
					t.Errorf("%s, %d routers: hop %d is %+v", name, routers, i+1, h)
				}
			}
		}
	}
}

// TestAPeerFarAway is behind more routers than there are TTLs to try.
func TestAPeerFarAway(t *testing.T) {
	p := newSimPath(MaxHops + 5)
	p.links[10].mtu = 1400
	for i := range p.routers {
		p.routers[i].tells = false
	}
	r := p.run(config(1400))
	last := len(r.Hops) - 1
	if last != MaxHops+1 || !r.Hops[last].Peer || !r.Hops[last].Far || !r.Complete {
		t.Errorf("%+v", r)
	}
	if diff := cmp.Diff([]string{"10-11 passes 1400 fails 1404"}, places(r)); diff != "" {
		t.Error(diff)
	}
}

// TestThePeerDoesNotAnswer: the last router that does is named, and what is known before it.
func TestThePeerDoesNotAnswer(t *testing.T) {
	for _, routers := range []int{0, 5, 12} {
		p := newSimPath(routers)
		p.dead = true
		want := []string{fmt.Sprintf("%d--1 passes 0 fails 0", routers)}
		if routers > 3 {
			p.links[3].mtu = 1400
			want = slices.Insert(want, 0, "3-4 passes 1400 fails 1404")
		}
		r := p.run(config(0))
		if diff := cmp.Diff(want, places(r)); diff != "" || r.Reached || !r.Complete || len(r.Hops) != routers+1 {
			t.Errorf("%s\n%+v", diff, r)
		}
	}
}

// TestARouterThatLies is told from one that is right by what gets through.
func TestARouterThatLies(t *testing.T) {
	for _, lie := range []int{1492, 1350, 68, 1, 65535} {
		p := newSimPath(5)
		p.links[2].mtu, p.routers[1].lies = 1400, lie
		r := p.run(config(1500))
		if diff := cmp.Diff([]string{"2-3 passes 1400 fails 1404"}, places(r)); diff != "" || r.Hops[2].Told != lie || !r.Hops[2].Tells {
			t.Errorf("%d: %s, %+v", lie, diff, r.Hops)
		}
	}
}

// TestTheHostRefuses sizes that its own link does not carry.
func TestTheHostRefuses(t *testing.T) {
	p := newSimPath(2)
	m := New(config(0), p.now)
	for !m.Done() {
		for _, probe := range m.Poll(nil, p.now) {
			switch {
			case probe.Size > 1280:
				m.Answer(probe.ID, Answer{Kind: Refused}, p.now)
			case probe.TTL == 1 || probe.TTL == 2:
				m.Answer(probe.ID, Answer{Kind: Expired, By: address(probe.TTL)}, p.now)
			default:
				m.Answer(probe.ID, Answer{Kind: Arrived}, p.now)
			}
		}
		p.now = m.Deadline()
	}
	if diff := cmp.Diff([]string{"0-1 passes 1280 fails 1284"}, places(m.Report())); diff != "" {
		t.Errorf("%s, %+v", diff, m.Report())
	}
}

// TestALateAnswerCounts, though the fan is over.
func TestALateAnswerCounts(t *testing.T) {
	p := newSimPath(3)
	c := config(1500)
	m := New(c, p.now)
	fan := m.Poll(nil, p.now)
	if len(fan) == 0 || len(m.Poll(nil, p.now)) > 0 {
		t.Fatal("the fan is not waited for")
	}
	for p.now = m.Deadline(); len(m.Poll(nil, p.now)) == 0; p.now = m.Deadline() {
		if m.Done() {
			t.Fatal("nothing follows")
		}
	}
	for _, probe := range fan {
		if probe.TTL == 2 && probe.Size == c.Top {
			m.Answer(probe.ID, Answer{Kind: Expired, By: address(2)}, p.now)
			m.Answer(probe.ID, Answer{Kind: TooBig, By: address(1), MTU: 1400}, p.now) // it has its answer
		}
	}
	r := m.Report()
	if len(r.Hops) != 3 || r.Hops[2].Size != c.Top || r.Hops[2].Addr != address(2) || r.Hops[1].Tells {
		t.Errorf("%+v", r)
	}
}

// TestFragmentsAreTold.
func TestFragmentsAreTold(t *testing.T) {
	m := New(config(0), time.Unix(0, 0))
	fan := m.Poll(nil, time.Unix(0, 0))
	m.Answer(fan[0].ID, Answer{Kind: Arrived, Fragments: true}, time.Unix(1, 0))
	if !m.Report().ClearsDF {
		t.Errorf("%+v", m.Report())
	}
}

// TestWhateverComesIsBounded: answers at random, by whoever likes, end in a report, after
// a bounded number of probes and bytes.
func TestWhateverComesIsBounded(t *testing.T) {
	tier.Select(t, tier.Quick, tier.Native)
	random := rand.New(rand.NewPCG(9, 10))
	for range 300 {
		c := config(random.IntN(2000))
		c.Top = c.Small + random.IntN(2280)*4
		c.RoundTrip = time.Duration(random.IntN(2)) * time.Duration(random.Int64N(int64(10*time.Second)))
		now := time.Unix(1000, 0)
		began := now
		m := New(c, now)
		probes, quiet := 0, random.IntN(4)
		for rounds := 0; !m.Done(); rounds++ {
			bytes := 0
			fan := m.Poll(nil, now)
			for i, probe := range fan {
				if probe.ID != probes || probe.TTL < 0 || probe.TTL > MaxHops || probe.Size < c.Small || probe.Size > c.Top || (probe.Size-c.Small)%4 != 0 {
					t.Fatalf("%+v", probe)
				}
				if i > 0 && probe.Size > fan[i-1].Size {
					t.Fatalf("the larger ones do not come first: %+v", fan)
				}
				probes++
				bytes += probe.Size
			}
			if bytes > maxFan+MaxHops*2*c.Small {
				t.Fatalf("%d bytes at once", bytes)
			}
			for range random.IntN(20) * quiet {
				m.Answer(random.IntN(probes+20)-10, Answer{Kind: Kind(random.IntN(5)), By: address(random.IntN(40)), MTU: random.IntN(70000), Fragments: random.IntN(9) == 0}, now)
			}
			if next := m.Deadline(); next.After(now) {
				now = next
			}
			if rounds > 10*maxProbes {
				t.Fatal("no end")
			}
		}
		if lasted := now.Sub(began); probes > maxProbes || lasted > maxLasts+2*maxWait {
			t.Fatalf("%d probes, %v", probes, lasted)
		}
		for _, p := range m.Report().Places() {
			if p.After < 0 || p.After >= len(m.Report().Hops) || p.Before >= len(m.Report().Hops) || p.Before >= 0 && p.Before <= p.After {
				t.Fatalf("%+v of %d hops", p, len(m.Report().Hops))
			}
		}
	}
}

// TestLargePackets: a path of jumbo frames with a narrow link takes more fans, and is
// measured all the same.
func TestLargePackets(t *testing.T) {
	for _, mtu := range []int{9000, 4000, 1500} {
		p := newSimPath(12)
		for i := range p.links {
			p.links[i].mtu = 9000
		}
		for i := range p.routers {
			p.routers[i].tells = false
		}
		p.links[7].mtu = mtu
		c := config(mtu)
		c.Top = 9000
		began := p.now
		r := p.run(c)
		var want []string
		if mtu < 9000 {
			want = []string{fmt.Sprintf("7-8 passes %d fails %d", mtu, mtu+4)}
		}
		if diff := cmp.Diff(want, places(r)); diff != "" || !r.Complete {
			t.Errorf("%s, %+v", diff, r)
		}
		t.Logf("%d: %v, %d fans", mtu, p.now.Sub(began), r.Fans)
	}
}
