package hops

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
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
						if took := p.now.Sub(began); took > 3*time.Second || r.Fans > 12 {
							t.Errorf("%s, link %d of %d, hint %d, round trip %v: %v, %d fans", name, link, mtu, hint, trip, took, r.Fans)
						}
					}
				}
			}
		}
	}
	t.Logf("%v and %d fans at most", longest, most)
}

// TestSeveralNarrowLinks are all found.
func TestSeveralNarrowLinks(t *testing.T) {
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
