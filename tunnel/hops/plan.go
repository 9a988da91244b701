package hops

import (
	"cmp"
	"slices"
	"time"
)

const (
	// hopsAtOnce is by how many hops the horizon grows with a fan.
	hopsAtOnce = 8
	// maxFan bounds the bytes of a fan.
	maxFan = 32 << 10
	// atOnce is how many sizes of a search are tried at a router in one fan, and
	// atOncePeer at the peer, which does not limit its answers.
	atOnce     = 4
	atOncePeer = 8
	// exploreEvery is how long after one question a hop that has never answered is asked
	// again. The last of the questions is more than a second after the first: a router
	// that answers once a second, and has answered others before, answers one of them.
	exploreEvery = 550 * time.Millisecond
)

// plan returns the next fan, the largest probes first. If there is none now, later is when
// there is to be one; zero: all is known.
func (m *Measurement) plan(now time.Time) (next []Probe, later time.Time) {
	v := m.look()
	f := fan{m: m, v: v, hint: m.config.Hint}
	f.explore(now)
	f.narrow()
	if len(f.probes) == 0 {
		return nil, f.later
	}
	f.add(0, m.config.Small)
	// Larger ones first, so that limits of routers hit the small ones. The last is the
	// one of the TTL of data.
	slices.SortStableFunc(f.probes, func(a, b Probe) int {
		return cmp.Or(cmp.Compare(b.Size, a.Size), order(a)-order(b))
	})
	return f.probes, time.Time{}
}

func order(p Probe) int {
	if p.TTL == 0 {
		return MaxHops + 1
	}
	return p.TTL
}

// fan is one that is planned.
type fan struct {
	m      *Measurement
	v      *view
	probes []Probe
	bytes  int
	hint   int       // a size that may be the largest that gets to a hop
	later  time.Time // when a hop that has not answered is to be asked again; zero: none is
}

// add takes a probe into the fan, unless it is there, or has no room.
func (f *fan) add(ttl, size int) {
	p := Probe{TTL: ttl, Size: size}
	if slices.Contains(f.probes, p) {
		return
	}
	if size > f.m.config.Small && len(f.probes) > 0 && f.bytes+size > maxFan {
		return // it comes with a later one
	}
	f.probes = append(f.probes, p)
	f.bytes += size
}

// ttl returns that of probes to a hop.
func (f *fan) ttl(at int) int {
	if f.v.hops[at].peer {
		return 0
	}
	return at
}

// explore asks for each hop once, and up to three times where no answer comes. It asks
// with the largest size as well: a router that has one answer to give tells most by that.
func (f *fan) explore(now time.Time) {
	m, v := f.m, f.v
	for at := 1; at < len(v.hops); at++ {
		if v.hops[at].trip > 0 {
			continue
		}
		tries, last := m.asked(v, at)
		if tries >= enough {
			continue
		}
		if due := last.Add(exploreEvery); tries > 0 && now.Before(due) {
			if f.later.IsZero() || due.Before(f.later) {
				f.later = due
			}
			continue
		}
		f.add(f.ttl(at), m.config.Small)
		f.add(f.ttl(at), m.config.Top)
	}
	if v.known || m.horizon >= MaxHops || m.fan > 0 && !f.onwards() {
		return
	}
	for at := m.horizon + 1; at <= min(m.horizon+hopsAtOnce, MaxHops); at++ {
		f.add(at, m.config.Small)
		f.add(at, m.config.Top)
	}
	if m.fan == 0 {
		f.add(0, m.config.Top)
	}
}

// onwards reports whether there is more to be found behind the horizon: the peer has
// answered, or one of the last hops.
func (f *fan) onwards() bool {
	v := f.v
	return v.reached || slices.ContainsFunc(v.hops[max(1, len(v.hops)-hopsAtOnce):], func(h hop) bool { return h.trip > 0 })
}

// narrow looks for the size that gets to each hop, from this host on: it works at the
// first place where that is not known. What gets to the peer is found out before, since
// most paths have one narrow link, and routers limit their answers.
func (f *fan) narrow() {
	v := f.v
	if last := &v.hops[len(v.hops)-1]; last.peer && last.size < f.m.config.Top {
		told := 0
		for _, h := range v.hops {
			if h.told > 0 && (told == 0 || h.told < told) {
				told = h.told
			}
		}
		f.search(last.index, last.size, f.m.config.Top, told)
		if f.m.failed(v, last.index, last.size, 1) != last.size+f.m.config.Step {
			return
		}
		f.hint = last.size
	}
	for a := 0; ; {
		b, ok := v.next(a)
		if !ok {
			return
		}
		most, size := v.hops[a].size, v.hops[b].size
		if size == most {
			a = b
			continue
		}
		if f.spread(a, most) {
			return
		}
		if f.search(b, size, most, v.hops[a].told) {
			return
		}
		if f.askAgain(a, b, most) {
			return
		}
		a = b
	}
}

// spread asks for a size at all hops behind one that it gets to, once. It reports
// whether there was any to ask.
func (f *fan) spread(a, size int) bool {
	before := len(f.probes)
	for at := a + 1; at < len(f.v.hops); at++ {
		if tries, _ := f.m.tries(f.v, at, size); tries == 0 && f.v.hops[at].size < size {
			f.add(f.ttl(at), size)
		}
	}
	return len(f.probes) > before
}

// search looks for the largest size that gets to a hop: above lo, which does, up to hi,
// which gets to the hop before. told is what that says, 0: nothing. It reports whether
// there is more to find out.
func (f *fan) search(at, lo, hi, told int) bool {
	m, c := f.m, f.m.config
	next := lo + c.Step
	if _, lost := m.tries(f.v, at, next); lost >= enough {
		return false
	}
	suspect := m.failed(f.v, at, lo, 1)
	nothingLost := suspect == 0
	if nothingLost {
		suspect = hi + c.Step
	}
	most := atOnce
	if f.v.hops[at].peer {
		most = atOncePeer
	}
	var sizes []int
	want := func(size int) {
		if size > lo && size < suspect && size <= hi && len(sizes) < most && !slices.Contains(sizes, size) {
			sizes = append(sizes, size)
		}
	}
	for _, hint := range []int{told, f.hint} {
		if hint > 0 {
			hint -= (hint - c.Small) % c.Step
			want(hint)
			want(hint + c.Step)
		}
	}
	if len(sizes) == 0 {
		steps := (suspect - lo) / c.Step
		for i := 1; i <= most; i++ {
			want(lo + steps*i/(most+1)*c.Step)
		}
	}
	if len(sizes) == 0 {
		sizes = append(sizes, next) // lost once or twice
	}
	if nothingLost && !slices.Contains(sizes, hi) {
		sizes = append(sizes, hi) // most links are not narrow
	}
	for _, size := range sizes {
		f.add(f.ttl(at), size)
	}
	f.add(f.ttl(at), c.Small)
	return true
}

// askAgain repeats a size at routers between two hops that are known by their PTBs about
// it alone: where the place of one is right, that stays unanswered. It reports whether
// there was anything to ask.
func (f *fan) askAgain(a, b, size int) bool {
	before := len(f.probes)
	for at := a + 1; at < b; at++ {
		if h := &f.v.hops[at]; h.tells && h.own >= size && f.v.hops[at-1].own == 0 {
			if tries, _ := f.m.tries(f.v, at, size); tries < enough {
				f.add(at, size)
			}
		}
	}
	return len(f.probes) > before
}
