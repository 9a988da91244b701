package pmtud

import "slices"

// How many times as likely a probe fails if it does not fit as if it does: where
// fitting probes were lost, and elsewhere.
const (
	lossyOdds = 8
	cleanOdds = 64
)

// spread appends up to k sizes in (low, high] that divide the possible MTUs of
// the path into pieces of equal probability, given the prior and the failures.
// A size that failed is an upper bound only as firmly as it failed often: the
// sizes above it keep a share.
func (s *search) spread(dst []int, low, high, k int) []int {
	if k <= 0 || low >= high {
		return dst
	}
	kept := len(dst)
	// Within a piece the odds are equal: [low, first failure), [first failure, second failure), …
	type piece struct {
		from, to int // the MTU is at least from and below to
		weight   float64
	}
	var pieces [rememberedFails + 1]piece
	n, total, odds, from := 0, 0.0, 1.0, low
	perLoss := float64(cleanOdds)
	if s.lossy {
		perLoss = lossyOdds
	}
	for i := 0; i <= len(s.fails) && from <= high; i++ {
		to, count := high+s.grid.step, 0
		if i < len(s.fails) && s.fails[i].size <= high {
			to, count = s.fails[i].size, s.fails[i].count
		}
		if to > from {
			w := odds * float64(s.grid.likely(to)-s.grid.likely(from))
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
		if size := s.grid.cut(pieces[i].from, pieces[i].to, q/pieces[i].weight); size > low && size <= high && !slices.Contains(dst[kept:], size) {
			dst = append(dst, size)
		}
	}
	return dst
}
