//go:build linux

package main

import "testing"

// TestSummaryIsMeasured, of Fathom and of both rivals.
func TestSummaryIsMeasured(t *testing.T) {
	for _, s := range summarised {
		for _, contender := range []string{aes.name, reference, nebulaName} {
			k := s.of
			k.contender = contender
			if !measures(k) {
				t.Errorf("%s: no scene measures %+v", s.text, k)
			}
		}
	}
}

func TestSummary(t *testing.T) {
	r := newResults(circumstances{Nebula: "v1"})
	if text := r.summary(); text != "" {
		t.Errorf("of nothing: %q", text)
	}
	r.Rounds = 1
	r.add(0, &scenes[0], oneStream, aes.name, []float64{8, 1, 12})
	r.add(0, &scenes[0], oneStream, reference, []float64{2, 4, 170})
	r.add(0, &scenes[0], oneStream, nebulaName, []float64{4, 2, 20})
	const want = `
## In short

| | Fathom, AES-256-GCM | wireguard-go | nebula | ratio |
| --- | --- | --- | --- | --- |
| one TCP stream, Gbit/s | 8.00 | 2.00 | 4.00 | 4.00×, 2.00× |
| its CPU time, both daemons, s/GB | 1.00 | 4.00 | 2.00 | 0.25×, 0.50× |
| memory of a daemon, MiB | 12.0 | 170 | 20.0 | 0.07×, 0.60× |
`
	if got := r.summary(); got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
}
