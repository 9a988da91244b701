package pmtud

import (
	"testing"
	"time"
)

func TestPTBTrust(t *testing.T) {
	contradict := func(n int) func(*ptbTrust) {
		return func(p *ptbTrust) {
			for range n {
				p.contradict(epochStart)
			}
		}
	}
	for _, tc := range []struct {
		name    string
		before  func(*ptbTrust)
		after   time.Duration
		accepts bool
	}{
		{"nothing is contradicted", contradict(0), 0, true},
		{"one fewer than ptbContradicted", contradict(ptbContradicted - 1), 0, true},
		{"ptbContradicted", contradict(ptbContradicted), 0, false},
		{"the same, long ago", contradict(ptbContradicted), ptbIgnored, true},
		{"the same, almost as long ago", contradict(ptbContradicted), ptbIgnored - 1, false},
		{"a true one among them", func(p *ptbTrust) {
			contradict(ptbContradicted - 1)(p)
			p.confirm()
			contradict(1)(p)
		}, 0, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := newPTBTrust()
			tc.before(&p)
			now := epochStart.Add(tc.after)
			if got := p.accepts(now); got != tc.accepts {
				t.Fatalf("accepts: %v, want %v", got, tc.accepts)
			}
			if p.ignores(now) == tc.accepts {
				t.Errorf("ignores: %v", p.ignores(now))
			}
			if now = now.Add(ptbIgnored); p.ignores(now) || !p.accepts(now) {
				t.Error("ignored for longer than ptbIgnored")
			}
		})
	}
}
