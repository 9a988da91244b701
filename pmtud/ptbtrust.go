package pmtud

import "time"

// A ptbTrust says whether validated PTBs count. Probes that prove several in a
// row wrong suspend them for a while (RFC 8899, 8): someone on the path lies.
type ptbTrust struct {
	contradicted   int       // in a row
	contradictedAt time.Time // when the last of them came
	ignoredUntil   time.Time
	verify         backoff // between fans for PTBs that are not validated

	belied   time.Time // when probes last contradicted the reduction by a PTB
	quote    PTB       // whose packet's fate is to be heard of
	quotedAt time.Time
	open     bool
}

func newPTBTrust() ptbTrust {
	return ptbTrust{verify: backoff{first: verifyInterval, limit: maxVerifyInterval}}
}

// ignores reports whether PTBs count for nothing now.
func (t *ptbTrust) ignores(now time.Time) bool { return now.Before(t.ignoredUntil) }

// accepts reports whether a validated PTB may reduce the PLPMTU. If too many have
// been contradicted it says no, and all PTBs are ignored for a while.
func (t *ptbTrust) accepts(now time.Time) bool {
	if now.Sub(t.contradictedAt) >= ptbIgnored {
		t.contradicted = 0
	}
	if t.contradicted < ptbContradicted {
		return true
	}
	t.contradicted = 0
	t.ignoredUntil = now.Add(ptbIgnored)
	return false
}

// quotes has the next reports tell of the packet that a PTB quotes, one at a time. It
// reports whether none has told of the last one for long.
func (t *ptbTrust) quotes(m PTB, now time.Time) (unheard bool) {
	unheard = t.open && now.Sub(t.quotedAt) >= verifyInterval
	if m.Sequence > 0 && (!t.open || unheard) {
		t.quote, t.quotedAt, t.open = m, now, true
	}
	return unheard
}

// contradict takes in that probes proved the PTB of the given time wrong.
func (t *ptbTrust) contradict(at time.Time) {
	t.contradicted++
	t.contradictedAt = at
}

// confirm takes in that probes agreed with a PTB.
func (t *ptbTrust) confirm() { t.contradicted = 0 }
