package pmtud

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
)

// likely returns the prior weight of the path's MTU being below size.
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

// cut returns the size in [from, to] that divides the prior weight between them
// nearest to the given share below it.
func (g grid) cut(from, to int, share float64) int {
	base := g.likely(from)
	want := base + int(share*float64(g.likely(to)-base))
	lo, hi := 0, (to-from)/g.step
	for lo < hi { // find the smallest size with at least the share below it
		mid := (lo + hi) / 2
		if g.likely(from+mid*g.step) < want {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	size := from + lo*g.step
	if lo > 0 && want-g.likely(size-g.step) < g.likely(size)-want {
		size -= g.step
	}
	return size
}
