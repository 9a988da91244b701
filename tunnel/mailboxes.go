package tunnel

import "sync"

const (
	// maxMessages is how many messages of one peer may wait. A peer that sends
	// more at once than its own protocols ask for loses its own.
	maxMessages = 128
	// maxNotices is how many events about one peer may wait that do not come from
	// it: they are few, and what is lost of them is told again.
	maxNotices = 32
)

// mailbox is what waits for the control goroutine about one peer, in the order in
// which it came. The lock of the mailboxes guards it.
type mailbox struct {
	letters  []letter
	messages int  // how many of the letters are
	closed   bool // the peer is gone
	next     *mailbox
}

type letter struct {
	event   event
	message bool // of the peer, else a notice about it
}

// mailboxes are those that are not empty, in the order of their turns: one letter of
// each, then the next of the first. So a peer with many waits for itself alone. Any
// goroutine may use it.
type mailboxes struct {
	mu          sync.Mutex // guards what follows
	first, last *mailbox
	letters     int // in all of them
}

// post leaves a letter; false means that the mailbox has no room for it.
func (b *mailboxes) post(to *mailbox, l letter) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if to.closed || l.message && to.messages == maxMessages || !l.message && len(to.letters)-to.messages == maxNotices {
		return false
	}
	to.letters = append(to.letters, l)
	if l.message {
		to.messages++
	}
	b.letters++
	if len(to.letters) == 1 {
		b.queue(to)
	}
	return true
}

// queue gives a mailbox the last turn.
func (b *mailboxes) queue(m *mailbox) {
	if b.first == nil {
		b.first = m
	} else {
		b.last.next = m
	}
	b.last = m
}

// take returns the event whose turn it is, nil if nothing waits.
func (b *mailboxes) take() event {
	b.mu.Lock()
	defer b.mu.Unlock()
	from := b.first
	if from == nil {
		return nil
	}
	b.first, from.next = from.next, nil
	l := from.letters[0]
	n := copy(from.letters, from.letters[1:])
	from.letters[n] = letter{}
	from.letters = from.letters[:n]
	if l.message {
		from.messages--
	}
	b.letters--
	if n > 0 {
		b.queue(from)
	}
	return l.event
}

// close ends a mailbox: nothing that waits in it, or comes, is read.
func (b *mailboxes) close(m *mailbox) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.letters -= len(m.letters)
	m.closed, m.messages = true, 0
	if len(m.letters) == 0 {
		return
	}
	m.letters = nil
	for at, last := &b.first, (*mailbox)(nil); *at != nil; at, last = &(*at).next, *at {
		if *at == m {
			if *at, m.next = m.next, nil; *at == nil {
				b.last = last
			}
			return
		}
	}
}

// waiting returns how many letters there are.
func (b *mailboxes) waiting() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.letters
}
