package tunnel

import (
	"slices"
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

// TestAMailboxIsClosed, wherever it stands among the others: what waits in it is not read,
// nor is what comes later, and the others keep their turns.
func TestAMailboxIsClosed(t *testing.T) {
	for closed := range 4 {
		var boxes mailboxes
		var all [4]mailbox
		var read, want []int
		post := func(i int) bool {
			return boxes.post(&all[i], letter{event: func(*controller, time.Time) { read = append(read, i) }})
		}
		for range 2 {
			for i := range 3 { // the last has no letters
				post(i)
				if i != closed {
					want = append(want, i)
				}
			}
		}
		boxes.close(&all[closed])
		if boxes.waiting() != len(want) || post(closed) {
			t.Errorf("mailbox %d: %d letters wait, want %d; or it takes more", closed, boxes.waiting(), len(want))
		}
		more := (closed + 1) % 4
		post(more) // at the end
		want = append(want, more)
		for event := boxes.take(); event != nil; event = boxes.take() {
			event(nil, time.Time{})
		}
		if closed == 3 || more == 3 {
			// It joins when each of the others has had its turn once.
			slices.Sort(read)
			slices.Sort(want)
		}
		if !slices.Equal(read, want) {
			t.Errorf("mailbox %d is closed: read %v, want %v", closed, read, want)
		}
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
