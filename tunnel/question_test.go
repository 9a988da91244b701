package tunnel

import (
	"errors"
	"testing"
	"time"
)

// TestAQuestion: it is asked at once and again, until it is answered or its time is over, and
// everybody who waits is told once.
func TestAQuestion(t *testing.T) {
	const every, within = time.Second, 3 * time.Second
	var q question[int, string]
	now := time.Now()
	look := func(ask, over bool) {
		t.Helper()
		if a, o := q.due(now, every); a != ask || o != over {
			t.Fatalf("due: %v, over: %v; want %v, %v", a, o, ask, over)
		}
	}
	var told []string
	who := func() *asker[string] {
		return &asker[string]{func(a *string, err error) {
			if err != nil {
				told = append(told, err.Error())
			} else {
				told = append(told, *a)
			}
		}}
	}
	look(false, false)
	first, second := who(), who()
	if !q.ask(first, now, within) || q.ask(second, now, within) {
		t.Error("the second of two who ask begins, or the first does not")
	}
	token := q.token
	look(true, false)
	look(false, false)
	now = now.Add(every)
	look(true, false)
	q.leave(second)
	if q.token != token || len(q.waiting) != 1 {
		t.Errorf("one of two has left: token %d, %d wait", q.token, len(q.waiting))
	}

	one, other := 1, 2
	for range 2 { // it comes again
		if q.part(1, 2, &other) != nil {
			t.Error("a part is missing")
		}
	}
	if all := q.part(0, 2, &one); len(all) != 2 || *all[0] != one || *all[1] != other {
		t.Errorf("parts %v", all)
	}
	answer := "answered"
	q.end(&answer, nil)
	look(false, false)

	q.ask(first, now, within)
	if q.token == token || len(q.parts) > 0 {
		t.Error("the next question has the token or the parts of the one before")
	}
	now = now.Add(within)
	look(false, true)
	q.end(nil, errors.New("too late"))
	q.ask(second, now, within)
	q.leave(second)
	look(false, false)
	if len(told) != 2 || told[0] != "answered" || told[1] != "too late" {
		t.Errorf("told %q", told)
	}
}
