package udp

import (
	"testing"
	"time"
)

// TestCompany: there is company from the first packet to another destination until
// some time after the last.
func TestCompany(t *testing.T) {
	one, other := new(Destination), new(Destination)
	var c company
	now := time.Second
	expect := func(when string, want bool) {
		t.Helper()
		if got := c.present(now); got != want {
			t.Errorf("%s: %v", when, got)
		}
	}
	expect("before all data", false)
	for range 100 {
		c.sees(one, now)
		now += time.Second
	}
	expect("one destination", false)
	c.sees(other, now)
	expect("another", true)
	for now += time.Millisecond; ; now += time.Second {
		c.sees(one, now)
		if !c.present(now) {
			break
		}
		if now > time.Hour {
			t.Fatal("company for ever")
		}
	}
	c.sees(other, now)
	expect("the other again", true)
	now += companyLasts - time.Millisecond
	expect("nearly too long ago", true)
	now += 2 * time.Millisecond
	expect("too long ago", false)
}
