package hops

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"
)

// simPath is a path of routers in virtual time. Link i leads from router i to router
// i+1; router 0 is this host, the last is the peer.
type simPath struct {
	links   []simLink
	routers []simRouter // without the ends
	trip    time.Duration
	loss    float64 // of each packet on its way to and fro
	random  *rand.Rand
	now     time.Time
	coming  []simAnswer
	sent    []Probe
	bytes   int // of the largest fan
	dead    bool
}

type simLink struct{ mtu int }

type simRouter struct {
	expires bool // it answers with Time Exceeded
	tells   bool // it answers with PTBs
	lies    int  // the MTU in them; 0: the true one
	limited bool // as Linux does: six Time Exceeded at once, then one a second
	// drained: others have had the six.
	drained bool
	often   float64 // how many a second; 0: one
	tokens  float64
	refill  time.Time
}

type simAnswer struct {
	id int
	Answer
	at time.Time
}

// address is that of router i.
func address(i int) netip.Addr { return netip.AddrFrom4([4]byte{10, byte(i), 0, 1}) }

// newSimPath makes a path of so many routers, all honest.
func newSimPath(routers int) *simPath {
	p := &simPath{links: make([]simLink, routers+1), routers: make([]simRouter, routers), trip: 20 * time.Millisecond,
		random: rand.New(rand.NewPCG(1, 2)), now: time.Unix(1000, 0)}
	for i := range p.links {
		p.links[i].mtu = 1500
	}
	for i := range p.routers {
		p.routers[i] = simRouter{expires: true, tells: true}
	}
	return p
}

func (p *simPath) lost() bool { return p.loss > 0 && p.random.Float64() < p.loss }

// send decides what becomes of a probe.
func (p *simPath) send(probe Probe) {
	answer := func(kind Kind, hop, mtu int) {
		a := simAnswer{id: probe.ID, Answer: Answer{Kind: kind, MTU: mtu}, at: p.now.Add(p.trip * time.Duration(hop) / time.Duration(len(p.links)))}
		if kind != Arrived {
			a.By = address(hop)
		}
		if !p.lost() {
			p.coming = append(p.coming, a)
		}
	}
	if p.lost() {
		return
	}
	ttl := probe.TTL
	for link := range p.links {
		if link > 0 {
			r := &p.routers[link-1]
			if ttl--; ttl == 0 {
				if r.expires && r.allow(p.now) {
					answer(Expired, link, 0)
				}
				return
			}
		}
		if mtu := p.links[link].mtu; probe.Size > mtu {
			if link > 0 && p.routers[link-1].tells {
				if lie := p.routers[link-1].lies; lie > 0 {
					mtu = lie
				}
				answer(TooBig, link, mtu)
			}
			return
		}
	}
	if !p.dead {
		answer(Arrived, len(p.links), 0)
	}
}

func (r *simRouter) allow(now time.Time) bool {
	if !r.limited {
		return true
	}
	switch {
	case !r.refill.IsZero():
		r.tokens = min(6, r.tokens+now.Sub(r.refill).Seconds()*max(1, r.often))
	case !r.drained:
		r.tokens = 6
	}
	r.refill = now
	if r.tokens < 1 {
		return false
	}
	r.tokens--
	return true
}

// run measures the path until the measurement is over.
func (p *simPath) run(c Config) *Report {
	m := New(c, p.now)
	for !m.Done() {
		fan := m.Poll(nil, p.now)
		bytes := 0
		for _, probe := range fan {
			p.send(probe)
			bytes += probe.Size
		}
		p.bytes = max(p.bytes, bytes)
		p.sent = append(p.sent, fan...)
		if m.Done() {
			break
		}
		slices.SortStableFunc(p.coming, func(a, b simAnswer) int { return a.at.Compare(b.at) })
		next := m.Deadline()
		if len(p.coming) > 0 && p.coming[0].at.Before(next) {
			a := p.coming[0]
			p.coming = p.coming[1:]
			p.now = a.at
			m.Answer(a.id, a.Answer, p.now)
			continue
		}
		if !next.After(p.now) && len(fan) > 0 {
			panic("the measurement does not wait")
		}
		if next.After(p.now) {
			p.now = next
		}
	}
	return m.Report()
}

// places returns where the report finds packets vanish, in words.
func places(r *Report) (list []string) {
	for _, p := range r.Places() {
		list = append(list, fmt.Sprintf("%d-%d passes %d fails %d", p.After, p.Before, p.Passes, p.Fails))
	}
	return list
}
