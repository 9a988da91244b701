package pmtud

import "slices"

// A task says what the next fan is for, beside the search that it continues.
type task struct {
	state     State
	verify    int     // the PLPMTU, to be confirmed while it stays in use; 0: not
	suspended int     // the suspended PLPMTU; 0: none
	loss      float64 // share of packets lost for reasons other than size
	doubted   bool    // answers have contradicted each other: one says little
	budget    budget
}

// A fan is a set of probes while it is planned.
type fan struct {
	grid      grid
	sizes     []int
	sentinels int    // the first ones of sizes
	room      budget // what the sizes leave of it
}

// take adds a probe whatever the room.
func (f *fan) take(size int) {
	f.sizes = append(f.sizes, size)
	f.room.packets--
	f.room.bytes -= size
}

// add adds probes of a size while there is room. The first one after the
// sentinels may have more bytes than there is room for.
func (f *fan) add(size, copies int) {
	size = min(size, f.grid.max)
	for range copies {
		first := len(f.sizes) == f.sentinels
		if f.room.packets > 0 && size >= f.grid.min && (size <= f.room.bytes || first) {
			f.take(size)
		}
	}
}

// confirm adds a size in question, in as many copies as make it improbable that
// all are lost by chance, and in minCopies even beyond the room (RFC 9002, 7.2:
// two packets of any size).
func (f *fan) confirm(size int, t task) {
	copies := min(inARow(t.loss, 1e-3, minCopies), maxCopies)
	if t.doubted {
		copies = 2 * maxCopies
	}
	for copies > minCopies && copies*size > f.room.bytes {
		copies--
	}
	f.room.bytes = max(f.room.bytes, copies*size)
	f.add(size, copies)
}

// plan returns the sizes of the next fan, largest first, the sentinels last. It
// appends them to buffer, which is empty.
func (s *search) plan(buffer []int, t task) []int {
	if s.mode == Sequential {
		return append(buffer, s.nextSize(t))
	}
	f := fan{grid: s.grid, sizes: buffer, room: t.budget}
	low, high := s.lo, s.high(t.state)
	s.addSentinels(&f, t)
	switch {
	case t.verify > 0:
		f.confirm(t.verify, t)
		if s.hint > 0 {
			f.add(s.grid.floor(s.hint), 1)
		}
		high = low
	case low < s.grid.base:
		s.addBase(&f)
		f.confirm(t.suspended, t)
		if t.suspended > 0 && t.state != Error {
			high = t.suspended - s.grid.step
		}
	}
	if t.verify == 0 {
		s.addHint(&f, high)
	}
	if s.raising && low > 0 && len(s.fails) == 0 {
		f.add(low+s.grid.step, s.maxProbes) // most raises find nothing: know it at once
	}
	if t.verify == 0 && len(s.fails) == 0 && low < ethernetMTU && high == s.grid.max {
		f.add(high, 1) // most paths carry the MTU of their first link
		if high > ethernetMTU {
			f.add(s.grid.floor(ethernetMTU)+s.grid.step, 1) // or Ethernet's, if that is jumbo
			f.add(s.grid.floor(ethernetMTU), 1)
		}
	}
	s.fill(&f, max(low, s.grid.min-s.grid.step), high)
	slices.SortFunc(f.sizes, func(a, b int) int { return b - a })
	return f.sizes
}

// addSentinels adds a probe, or two where it may be lost, of a size that passes
// if any does. As the smallest of the fan it is sent last.
func (s *search) addSentinels(f *fan, t task) {
	size := min(s.grid.base, max(s.lo, s.grid.min))
	if t.verify > 0 { // which is in question, and smaller ones with it
		size = s.grid.min
	}
	f.take(size)
	if s.lossy || t.verify > 0 {
		f.take(size)
	}
	f.sentinels = len(f.sizes)
}

// addBase adds BASE_PLPMTU, which is still to be confirmed.
func (s *search) addBase(f *fan) {
	n := s.fails.count(s.grid.base)
	if n >= s.maxProbes {
		return
	}
	copies := 1 + 2*n
	if s.hint > 0 && s.hint < s.grid.base { // it will fail: know it at once
		copies = s.maxProbes
	}
	f.add(s.grid.base, min(copies, s.maxProbes-n))
}

// addHint adds the size that a PTB offers, and the next, which should fail.
func (s *search) addHint(f *fan, high int) {
	size, next := s.grid.floor(s.hint), s.grid.floor(s.hint)+s.grid.step
	if s.hint == 0 || size < s.lo || size > high || s.fails.givenUp(size, s.maxProbes) {
		return
	}
	if size > s.lo {
		f.add(size, 1)
	}
	if size < high {
		f.add(next, s.enough()-s.fails.count(next))
	}
	if size > s.lo {
		f.add(size, 1)
	}
}

// fill adds sizes of the search in (low, high] while there is room.
func (s *search) fill(f *fan, low, high int) {
	step := s.grid.step
	if low >= high || f.room.packets <= 0 {
		return
	}
	// The smallest size that failed: the search is between low and it.
	bound, failed := high+step, s.enough()
	if len(s.fails) > 0 && s.fails[0].size < bound {
		bound, failed = s.fails[0].size, s.fails[0].count
	}
	between := (bound - low - step) / step
	if between+min(1, max(0, s.enough()-failed)) <= f.room.packets && (between+1)*bound <= f.room.bytes {
		s.addRest(f, low, high, bound)
		return
	}
	if s.lossy && failed < s.enough() && f.room.packets > 2 && f.room.bytes >= bound {
		f.take(bound) // a single loss must not mislead
	}
	s.addSpread(f, low, high)
}

// addRest adds the last sizes of a search, from bound down to above low, each as
// often as there is room, up to the failures that end the search.
func (s *search) addRest(f *fan, low, high, bound int) {
	for copies := range s.enough() {
		for size := bound; size > low && f.room.packets > 0 && f.room.bytes >= size; size -= s.grid.step {
			if size <= high && s.fails.count(size)+copies < s.enough() {
				f.take(size)
			}
		}
	}
}

// addSpread fills the room with sizes that divide the possible MTUs.
func (s *search) addSpread(f *fan, low, high int) {
	kept, room := len(f.sizes), f.room
	// Pieces may share a cut next to a very likely size; ask for more pieces then.
	for k := room.packets; k <= 4*room.packets; k++ {
		before := len(f.sizes)
		f.sizes = s.spread(f.sizes[:kept], low, high, k)
		if sizes := f.sizes[kept:]; len(sizes) > room.packets {
			f.sizes = f.sizes[:kept+room.packets]
			break
		} else if total(sizes) > room.bytes || len(sizes) == room.packets || len(f.sizes) < before {
			break
		}
	}
	for k := len(f.sizes) - kept; k > 1 && total(f.sizes[kept:]) > room.bytes; k-- {
		f.sizes = s.spread(f.sizes[:kept], low, high, k-1)
	}
	if len(f.sizes) == kept+1 && f.sizes[kept] > room.bytes && kept > 0 && slices.Max(f.sizes[:kept]) > low {
		f.sizes = f.sizes[:kept] // a larger one is in the fan already
	}
}

func total(sizes []int) (sum int) {
	for _, size := range sizes {
		sum += size
	}
	return sum
}
