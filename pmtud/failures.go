package pmtud

import "slices"

// A failure is a size whose probes failed, and how often: the PROBE_COUNT of
// RFC 8899, 5.1.3, kept for each size.
type failure struct{ size, count int }

// failures are sorted by size, at most rememberedFails of them.
type failures []failure

func (f failures) search(size int) (i int, ok bool) {
	return slices.BinarySearchFunc(f, size, func(f failure, size int) int { return f.size - size })
}

// count returns how often a size has failed.
func (f failures) count(size int) int {
	if i, ok := f.search(size); ok {
		return f[i].count
	}
	return 0
}

// add counts n failures of a size. If there are too many sizes it forgets the
// largest.
func (f *failures) add(size, n int) {
	i, ok := f.search(size)
	switch {
	case ok:
		(*f)[i].count = min((*f)[i].count+n, 255)
		return
	case i == rememberedFails:
		return
	case len(*f) == rememberedFails:
		*f = (*f)[:rememberedFails-1]
	}
	*f = slices.Insert(*f, i, failure{size, n})
}

// dropUpTo forgets the failures of sizes up to size, which has passed.
func (f *failures) dropUpTo(size int) {
	i, _ := f.search(size + 1)
	*f = slices.Delete(*f, 0, i)
}

// clear forgets all and keeps the memory.
func (f *failures) clear() { *f = (*f)[:0] }

// givenUp reports whether a size up to this one has failed maxProbes times.
func (f failures) givenUp(size, maxProbes int) bool {
	for _, failed := range f {
		if failed.size <= size && failed.count >= maxProbes {
			return true
		}
	}
	return false
}
