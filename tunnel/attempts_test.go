package tunnel

import (
	"errors"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"fathom/tunnel/status"
)

// TestAttempts: the last reason stands, but silence does not hide for a minute what was
// told.
func TestAttempts(t *testing.T) {
	here, there := netip.MustParseAddrPort("192.0.2.2:4500"), netip.MustParseAddrPort("[2001:db8::2]:4500")
	var a attempts
	now := time.Now()
	after := func(d time.Duration) time.Time { now = now.Add(d); return now }
	is := func(step string, number int, reason status.Reason, words string) {
		t.Helper()
		if a.number != number || a.reason != reason || !strings.Contains(a.detail, words) {
			t.Errorf("%s: %d, %s, %q", step, a.number, a.reason, a.detail)
		}
	}
	a.tries(here, now)
	is("the first may yet be answered", 1, "", "")
	a.tries(there, after(time.Second))
	is("it was not", 2, status.ReasonNoAnswer, "192.0.2.2:4500")
	a.fails(status.ReasonNoWay, "cannot send", time.Time{})
	is("and this one could not be sent", 2, status.ReasonNoWay, "cannot send")
	a.tries(here, after(time.Second))
	a.tries(here, after(time.Second))
	is("silence says more", 4, status.ReasonNoAnswer, "192.0.2.2:4500")
	a.failsWith(&warning{what: "what", reason: status.ReasonPresharedKey, words: "keys"}, after(time.Second))
	is("an answer", 4, status.ReasonPresharedKey, "keys")
	a.failsWith(errors.New("nothing to tell"), after(0))
	a.failsWith(&warning{what: "a warning that is no reason"}, after(0))
	for range 50 {
		a.tries(here, after(time.Second))
	}
	is("silence after it", 54, status.ReasonPresharedKey, "keys")
	for range 10 {
		a.tries(here, after(time.Second))
	}
	is("for long", 64, status.ReasonNoAnswer, "192.0.2.2:4500")
	a.failsWith(&warning{what: "no cipher", reason: status.ReasonNoCipher, cause: errors.New("none")}, after(0))
	is("without words of its own", 64, status.ReasonNoCipher, "no cipher: none")
	a.end()
	is("reached", 0, "", "")
	for range 2 {
		a.answers(after(time.Second))
	}
	is("answers that may be on their way", 0, "", "")
	a.answers(after(time.Second))
	is("answers that are not used", 0, status.ReasonUnused, "preshared keys may differ")
}

func TestANameThatDoesNotResolveSaysWhichAndWhy(t *testing.T) {
	for want, err := range map[string]error{
		"x.invalid does not resolve: no such host": &net.DNSError{Err: "no such host", Name: "x.invalid", Server: "127.0.0.53:53"},
		"x.invalid does not resolve: it rains":     errors.New("it rains"),
	} {
		if got := noName("x.invalid", err); got != want {
			t.Errorf("%q", got)
		}
	}
}
