package host

import (
	"errors"
	"net/netip"
	"os"
	"slices"
	"testing"
	"time"
)

// switchIPv6Off sets the sysctl for the interfaces of the host.
func switchIPv6Off(t *testing.T, value string) {
	t.Helper()
	for _, of := range []string{"all", "default"} {
		check(t, os.WriteFile("/proc/sys/net/ipv6/conf/"+of+"/disable_ipv6", []byte(value), 0))
	}
}

// TestIPv6SwitchedOff is said once. Everything else is there, packets for IPv6 are
// refused, and what needs IPv6 is added when the host has it.
func TestIPv6SwitchedOff(t *testing.T) {
	inHost(t, func() error {
		uplink(t)
		switchIPv6Off(t, "1")
		l := divert(t, "fathom0", Config{Addresses: []netip.Prefix{addr4, addr6}})
		defer l.Close()
		if way := leavesBy(t, farAway[0]); way != "fathom0" {
			t.Errorf("IPv4 leaves by %s", way)
		}
		ours := make(chan struct{}, 1)
		w, err := l.Watch(ours, NewChanges())
		check(t, err)
		defer w.Close()
		<-ours // by which Restore is called
		now := time.Now()
		told, next := l.Restore(now)
		for _, r := range told {
			if !errors.Is(r.Err, ErrNoIPv6) {
				t.Errorf("told of %v", r)
			}
		}
		if len(told) != 2 || next.IsZero() {
			t.Errorf("told of %v, and next at %v", told, next)
		}
		if told, next = l.Restore(next); len(told) != 0 || next.IsZero() {
			t.Errorf("told again of %v, and next at %v", told, next)
		}
		switchIPv6Off(t, "0")
		if told, _ = l.Restore(next); len(told) != 2 || told[0].Err != nil || told[1].Err != nil {
			t.Errorf("told of %v", told)
		}
		expectWay(t, "IPv6 is on", "fathom0")
		return nil
	})
}

// TestSecondLineWithoutIPv6 refuses packets of both families, and nothing has to be
// added to it when the host has IPv6.
func TestSecondLineWithoutIPv6(t *testing.T) {
	inHost(t, func() error {
		uplink(t)
		switchIPv6Off(t, "1")
		l := lead(t, "fathom0", Config{}, remote...)
		defer l.Close()
		rules := rulesNow(t)
		if len(rules) != 10 {
			t.Errorf("rules %q", rules)
		}
		flushMain(t, remote...)
		switchIPv6Off(t, "0")
		expectWays(t, "IPv6 is on", map[string]string{"10.88.2.1": "", "fd88:0:2::1": "", "fd88:0:1::1": ""})
		l.doubt.all = true
		l.Restore(time.Now())
		expectWays(t, "restored", map[string]string{"10.88.2.1": "fathom0", "fd88:0:2::1": "fathom0", "fd88:0:1::1": "fathom0"})
		if got := rulesNow(t); !slices.Equal(got, rules) {
			t.Errorf("rules %q, before %q", got, rules)
		}
		return nil
	})
}
