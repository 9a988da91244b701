package gcm

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"fathom/test/tier"
)

// TestFasterThanTheStandard measures all implementations of this processor in turns.
// It asserts only that each pays: other work on the machine and the processor's
// clock move the ratios, which docs/cipher.md has from a quiet machine.
func TestFasterThanTheStandard(t *testing.T) {
	tier.Select(t, tier.Measures, tier.Native)
	if len(makers) == 1 {
		t.Skip("this processor has no VAES")
	}
	for _, size := range []int{64, 208, 1408, 9000} {
		for _, verb := range []string{"seal", "open", "batch of 16 sealed", "batch of 16 opened"} {
			durations := interleaved(t, verb, size)
			last := len(makers) - 1
			for i, m := range makers[:last] {
				ratios := make([]float64, len(durations[i]))
				for r, d := range durations[i] {
					ratios[r] = float64(durations[last][r]) / float64(d)
				}
				slices.Sort(ratios)
				ratio := ratios[len(ratios)/2]
				tier.Figure(t, "%4d bytes, %-18s: %s is %.2f × %s (%v against %v)", size, verb, m.name, ratio, Standard, median(durations[i]), median(durations[last]))
				if ratio <= 1 {
					t.Errorf("%d bytes, %s: %s is slower than %s", size, verb, m.name, Standard)
				}
			}
		}
	}
}

func median(d []time.Duration) time.Duration {
	d = slices.Clone(d)
	slices.Sort(d)
	return d[len(d)/2]
}

// interleaved returns how long each implementation takes for one packet, round by
// round.
func interleaved(t *testing.T, verb string, size int) [][]time.Duration {
	const rounds, batch = 101, 16
	var works []func(times int)
	for _, m := range makers {
		c, err := m.make(make([]byte, KeySize))
		if err != nil {
			t.Fatal(err)
		}
		works = append(works, work(t, c, verb, size, batch))
	}
	times := 200_000/(size+200)/batch*batch + batch
	durations := make([][]time.Duration, len(makers))
	for range rounds {
		for i, work := range works {
			start := time.Now()
			work(times)
			durations[i] = append(durations[i], time.Since(start)/time.Duration(times))
		}
	}
	return durations
}

// work returns what seals or opens a number of packets, a multiple of batch.
func work(t *testing.T, c Cipher, verb string, size, batch int) func(times int) {
	nonce, text := make([]byte, NonceSize), make([]byte, size, size+TagSize)
	header := make([]byte, additionalSize)
	room := make([]byte, 0, size+TagSize)
	sealed := c.Seal(nil, nonce, text, header)
	packets, pristine, authentic := make([][]byte, batch), make([][]byte, batch), make([]bool, batch)
	for i := range packets {
		packets[i] = make([]byte, HeaderSize+size+TagSize)
		packets[i][HeaderSize-1] = byte(i)
	}
	c.SealBatch([SaltSize]byte{}, packets)
	for i := range packets {
		pristine[i] = slices.Clone(packets[i])
	}
	switch verb {
	case "seal":
		return func(times int) {
			for range times {
				c.Seal(room, nonce, text, header)
			}
		}
	case "open":
		return func(times int) {
			for range times {
				if _, err := c.Open(room, nonce, sealed, header); err != nil {
					t.Fatal(err)
				}
			}
		}
	case "batch of 16 sealed":
		return func(times int) {
			for range times / batch {
				c.SealBatch([SaltSize]byte{}, packets)
			}
		}
	case "batch of 16 opened":
		return func(times int) {
			for range times / batch {
				for i := range packets {
					copy(packets[i], pristine[i]) // a copy each is the price of opening in place
				}
				c.OpenBatch([SaltSize]byte{}, packets, authentic)
				if slices.Contains(authentic, false) {
					t.Fatal("a packet does not open")
				}
			}
		}
	}
	panic(fmt.Sprintf("nothing measures %q", verb))
}
