package tunnel

import (
	"testing"
	"time"
)

// TestMailboxesGoRound: one letter of each peer at a time, in the order in which
// they came.
func TestMailboxesGoRound(t *testing.T) {
	var boxes mailboxes
	peers := make(map[byte]*mailbox)
	var taken string
	post := func(letters string, message bool) (lost int) {
		for _, name := range []byte(letters) {
			if peers[name] == nil {
				peers[name] = new(mailbox)
			}
			if !boxes.post(peers[name], letter{message: message, event: func(*controller, time.Time) { taken += string(name) }}) {
				lost++
			}
		}
		return lost
	}
	take := func(n int) (got string) {
		taken = ""
		for range n {
			if event := boxes.take(); event != nil {
				event(nil, time.Time{})
			}
		}
		return taken
	}
	for _, step := range []struct {
		post string
		take int
		want string
	}{
		{"aaabbc", 3, "abc"},
		{"d", 2, "ab"},
		{"", 10, "da"}, // a had its turn before d came
		{"abab", 10, "abab"},
		{"", 1, ""},
	} {
		if lost := post(step.post, true); lost > 0 {
			t.Errorf("%+v: %d are lost", step, lost)
		}
		if got := take(step.take); got != step.want {
			t.Errorf("%+v: got %q", step, got)
		}
	}
	if n := boxes.waiting(); n != 0 {
		t.Errorf("%d letters wait in empty mailboxes", n)
	}
}

// TestAMailboxIsBounded, for messages and for notices by themselves.
func TestAMailboxIsBounded(t *testing.T) {
	for _, first := range []bool{true, false} {
		var boxes mailboxes
		var flooded, other mailbox
		room := func(to *mailbox, message bool) (n int) {
			for boxes.post(to, letter{message: message, event: func(*controller, time.Time) {}}) {
				n++
			}
			return n
		}
		got := map[bool]int{first: room(&flooded, first)}
		got[!first] = room(&flooded, !first)
		if got[true] != maxMessages || got[false] != maxNotices {
			t.Errorf("room for %d messages and %d notices", got[true], got[false])
		}
		if n := room(&other, true); n != maxMessages {
			t.Errorf("beside it, room for %d messages", n)
		}
		for boxes.take() != nil {
		}
		if n := room(&flooded, true); n != maxMessages {
			t.Errorf("when it was emptied, room for %d messages", n)
		}
	}
}
