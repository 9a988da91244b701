package pmtud

import "slices"

// A failure is a size above lo whose probes failed, and how often: the
// PROBE_COUNT of RFC 8899, 5.1.3, kept for each size.
type failure struct{ size, count int }

func (d *Discovery) failures(size int) int {
	if i, ok := slices.BinarySearchFunc(d.fails, size, bySize); ok {
		return d.fails[i].count
	}
	return 0
}

// enough is how often a size must fail before it is given up.
func (d *Discovery) enough() int {
	if d.lossy && d.cfg.Mode == Fan {
		return d.cfg.MaxProbes + extraProbes
	}
	return d.cfg.MaxProbes
}

// givenUp reports whether a size up to this one has failed MAX_PROBES times.
func (d *Discovery) givenUp(size int) bool {
	for _, f := range d.fails {
		if f.size <= size && f.count >= d.cfg.MaxProbes {
			return true
		}
	}
	return false
}

func bySize(f failure, size int) int { return f.size - size }

// addFailure counts; of too many sizes it forgets the largest.
func (d *Discovery) addFailure(size, count int) {
	i, ok := slices.BinarySearchFunc(d.fails, size, bySize)
	if ok {
		d.fails[i].count = min(d.fails[i].count+count, 255)
		return
	}
	if len(d.fails) == rememberedFails {
		if i == rememberedFails {
			return
		}
		d.fails = d.fails[:rememberedFails-1]
	}
	d.fails = slices.Insert(d.fails, i, failure{size, count})
}

// dropFailures forgets those that lo has disproved.
func (d *Discovery) dropFailures() {
	i, _ := slices.BinarySearchFunc(d.fails, d.lo+1, bySize)
	d.fails = slices.Delete(d.fails, 0, i)
}

// commonMTUs are sizes at which paths often end (RFC 8899, 5.3.2): Ethernet,
// PPPoE, tunnels in tunnels, clouds, jumbo frames.
var commonMTUs = [...]int{
	1280, 1380, 1400, 1420, 1428, 1440, 1448, 1452, 1460, 1468, 1472, 1476, 1480, 1492, 1500,
	4352, 4468, 8192, 9000, 9216,
}

const (
	// ethernetMTU divides the sizes: beyond, common sizes are few and the
	// sizes between are many, so each counts for less.
	ethernetMTU  = 1500
	likelySize   = 40 // weight of a size up to ethernetMTU
	likelyCommon = 80 // weight of a common one, in addition
	jumboSize    = 8
	jumboCommon  = 600
	// How much more likely the failure of a probe is if it does not fit than if
	// it does: where probes were lost that fit, and elsewhere.
	lossyOdds = 8
	cleanOdds = 64
)

// likely returns the weight of the path's MTU, in sizes of the grid, being
// below size, before any probe.
func (g grid) likely(size int) int {
	w := likelySize * (min(size, ethernetMTU+g.step) / g.step)
	if size > ethernetMTU {
		w += jumboSize * ((size - ethernetMTU) / g.step)
	}
	for _, c := range commonMTUs {
		if c >= size {
			break
		}
		if c <= ethernetMTU {
			w += likelyCommon
		} else {
			w += jumboCommon
		}
	}
	return w
}

// spread appends up to k sizes in (low, high] that part what the path's MTU
// may be, as prior and failures have it, into equally likely pieces. A size
// that failed is an upper bound only as firmly as it failed often: a share of
// the sizes stays above it.
func (d *Discovery) spread(dst []int, low, high, k int) []int {
	if k <= 0 || low >= high {
		return dst
	}
	kept := len(dst)
	// Pieces of equal odds: [low, first failure), [first, second failure), …
	type piece struct {
		from, to int // the MTU is at least from and below to
		weight   float64
	}
	var pieces [rememberedFails + 1]piece
	n, total, odds, from := 0, 0.0, 1.0, low
	perLoss := float64(cleanOdds)
	if d.lossy {
		perLoss = lossyOdds
	}
	for i := 0; i <= len(d.fails) && from <= high; i++ {
		to, count := high+d.grid.step, 0
		if i < len(d.fails) && d.fails[i].size <= high {
			to, count = d.fails[i].size, d.fails[i].count
		}
		if to > from {
			w := odds * float64(d.grid.likely(to)-d.grid.likely(from))
			pieces[n] = piece{from, to, w}
			n, total, from = n+1, total+w, to
		}
		for range min(count, 8) {
			odds /= perLoss
		}
	}
	for j := 1; j <= k; j++ {
		q := total * float64(j) / float64(k+1)
		i := 0
		for i < n-1 && q > pieces[i].weight {
			q -= pieces[i].weight
			i++
		}
		if size := d.cut(pieces[i].from, pieces[i].to, q/pieces[i].weight); size > low && size <= high && !slices.Contains(dst[kept:], size) {
			dst = append(dst, size)
		}
	}
	return dst
}

// cut returns the size in [from, to] that parts the likely MTUs between them
// nearest to the given share below it.
func (d *Discovery) cut(from, to int, share float64) int {
	step := d.grid.step
	base := d.grid.likely(from)
	want := base + int(share*float64(d.grid.likely(to)-base))
	lo, hi := 0, (to-from)/step
	for lo < hi { // the smallest size with at least the share below it
		mid := (lo + hi) / 2
		if d.grid.likely(from+mid*step) < want {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	size := from + lo*step
	if lo > 0 && want-d.grid.likely(size-step) < d.grid.likely(size)-want {
		size -= step
	}
	return size
}

// plan fills sizes with the next fan, largest first.
func (d *Discovery) plan() {
	d.sizes = d.sizes[:0]
	if d.cfg.Mode == Sequential {
		d.sizes = append(d.sizes, d.nextSize())
		return
	}
	g, low := d.grid, d.lo
	room, bytes := d.packets, d.bytes
	sentinels := fanPackets // while they are added
	add := func(size, copies int) {
		size = min(size, g.max)
		for range copies {
			first := len(d.sizes) <= sentinels // one is always allowed
			if room > 0 && size >= g.min && (size <= bytes || first) {
				d.sizes = append(d.sizes, size)
				room--
				bytes -= size
			}
		}
	}

	// Sentinels: sizes that pass if any does, sent last.
	last := min(g.base, max(low, g.min))
	add(last, 1)
	if d.lossy || d.verify > 0 {
		add(last, 1)
	}
	sentinels = len(d.sizes)

	// What must be in this fan.
	high := g.max
	if d.state == Error {
		high = g.base
	}
	switch {
	case d.verify > 0:
		copies := d.confirmCopies(d.verify, bytes)
		bytes = max(bytes, copies*d.verify)
		add(d.verify, copies)
		if d.hint > 0 {
			add(g.floor(d.hint), 1)
		}
		high = low
	case low < g.base: // BASE_PLPMTU is still to be confirmed
		if n := d.failures(g.base); n < d.cfg.MaxProbes {
			copies := 1 + 2*n
			if d.hint > 0 && d.hint < g.base { // it will fail: know it at once
				copies = d.cfg.MaxProbes
			}
			add(g.base, min(copies, d.cfg.MaxProbes-n))
		}
		copies := d.confirmCopies(d.doubt.size, bytes)
		bytes = max(bytes, copies*d.doubt.size) // RFC 9002, 7.2: or two packets
		add(d.doubt.size, copies)
		if d.doubt.size > 0 && d.state != Error {
			high = d.doubt.size - g.step
		}
	}
	if hint := g.floor(d.hint); d.hint > 0 && d.verify == 0 && hint >= low && hint <= high && !d.givenUp(hint) {
		if hint > low {
			add(hint, 1)
		}
		if hint < high {
			add(hint+g.step, d.enough()-d.failures(hint+g.step))
		}
		if hint > low {
			add(hint, 1)
		}
	}
	if d.raising && low > 0 && len(d.fails) == 0 {
		add(low+g.step, d.cfg.MaxProbes) // most raises find nothing: know it at once
	}
	if len(d.fails) == 0 && low < ethernetMTU && high == g.max && d.verify == 0 {
		add(high, 1) // most paths carry what their first link does
		if high > ethernetMTU {
			add(g.floor(ethernetMTU)+g.step, 1) // or Ethernet's, if that is jumbo
			add(g.floor(ethernetMTU), 1)
		}
	}
	d.fill(max(low, g.min-g.step), high, room, bytes)

	// Largest first; the sentinels stay last.
	slices.SortFunc(d.sizes, func(a, b int) int { return b - a })
}

// fill adds what a search needs to a fan with room for so many packets and
// bytes.
func (d *Discovery) fill(low, high, room, bytes int) {
	step := d.grid.step
	if low >= high || room <= 0 {
		return
	}
	// The smallest size that failed: the search is between low and it.
	bound, failed := high+step, d.enough()
	if len(d.fails) > 0 && d.fails[0].size < bound {
		bound, failed = d.fails[0].size, d.fails[0].count
	}
	between := (bound - low - step) / step
	if between+min(1, max(0, d.enough()-failed)) <= room && (between+1)*bound <= bytes {
		// The end: each size that is left, as often as there is room, up to MAX_PROBES.
		for copies := range d.enough() {
			for size := bound; size > low && room > 0 && bytes >= size; size -= step {
				if size <= high && d.failures(size)+copies < d.enough() {
					d.sizes = append(d.sizes, size)
					room, bytes = room-1, bytes-size
				}
			}
		}
		return
	}
	if d.lossy && failed < d.enough() && room > 2 && bytes >= bound {
		d.sizes = append(d.sizes, bound) // a single loss must not mislead
		room, bytes = room-1, bytes-bound
	}
	kept := len(d.sizes)
	// Pieces may share a cut next to a very likely size; ask for more pieces then.
	for k := room; k <= 4*room; k++ {
		before := len(d.sizes)
		d.sizes = d.spread(d.sizes[:kept], low, high, k)
		if sizes, sum := d.sizes[kept:], 0; len(sizes) > room {
			d.sizes = d.sizes[:kept+room]
			break
		} else if sum = total(sizes); sum > bytes || len(sizes) == room || len(d.sizes) < before {
			break
		}
	}
	for k := len(d.sizes) - kept; k > 1 && total(d.sizes[kept:]) > bytes; k-- {
		d.sizes = d.spread(d.sizes[:kept], low, high, k-1)
	}
	if len(d.sizes) == kept+1 && d.sizes[kept] > bytes && kept > 0 && slices.Max(d.sizes[:kept]) > low {
		d.sizes = d.sizes[:kept] // a larger one is in the fan already
	}
}

func total(sizes []int) (sum int) {
	for _, s := range sizes {
		sum += s
	}
	return sum
}

// nextSize is the one probe of the sequential mode.
func (d *Discovery) nextSize() int {
	g := d.grid
	if d.verify > 0 {
		return d.verify
	}
	if d.state == Base {
		return g.base
	}
	if d.lo == 0 {
		return g.min
	}
	for _, f := range d.fails { // the same size until it has failed MAX_PROBES times
		if f.count < d.cfg.MaxProbes {
			return f.size
		}
	}
	high := g.max
	if d.state == Error {
		high = g.base
	}
	if d.hint > d.lo && g.floor(d.hint) <= high {
		return g.floor(d.hint)
	}
	if len(d.fails) == 0 && d.raising {
		return d.lo + g.step
	}
	if len(d.fails) == 0 {
		return high
	}
	var one [1]int
	if s := d.spread(one[:0], d.lo, min(high, d.fails[0].size-g.step), 1); len(s) > 0 && s[0] > d.lo {
		return s[0]
	}
	return d.lo + g.step
}

// confirmCopies is how many probes of a size in question a fan holds: so many
// that they are hardly all lost by chance, as far as the budget in bytes
// allows.
func (d *Discovery) confirmCopies(size, budget int) int {
	copies := min(inARow(d.reports.loss, 1e-3, minCopies), maxCopies)
	for copies > minCopies && copies*size > budget {
		copies--
	}
	return copies
}
