package udp

import "testing"

// TestCompany: several are company, one is none.
func TestCompany(t *testing.T) {
	var c Company
	for i, step := range []struct {
		do   func()
		want bool
	}{{c.Join, false}, {c.Join, true}, {c.Join, true}, {c.Leave, true}, {c.Leave, false}, {c.Join, true}, {c.Leave, false}, {c.Leave, false}} {
		step.do()
		if got := c.Several(); got != step.want {
			t.Errorf("step %d: %v", i, got)
		}
	}
}
