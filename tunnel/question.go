package tunnel

import (
	"crypto/rand"
	"encoding/binary"
	"slices"
	"time"
)

// A question is what this end asks the peer, again and again until it has answered, in one
// part or in several. The zero value asks nothing. Owned by the control goroutine.
type question[Part, Answer any] struct {
	token   uint64    // 0: nothing is asked
	next    time.Time // when the peer is asked again; zero: it is not
	until   time.Time
	parts   []*Part
	waiting []*asker[Answer]
}

// asker is somebody who waits for the answer: told is called once, by the control
// goroutine, with the answer or with the reason for its absence.
type asker[Answer any] struct {
	told func(a *Answer, err error)
}

// ask has the peer asked for some time, and reports whether that is new: it may be asked
// already.
func (q *question[Part, Answer]) ask(who *asker[Answer], now time.Time, within time.Duration) (begins bool) {
	q.waiting = append(q.waiting, who)
	if q.token != 0 {
		return false
	}
	var b [8]byte
	rand.Read(b[:])
	q.token, q.next, q.until = binary.BigEndian.Uint64(b[:])|1, now, now.Add(within)
	return true
}

// leave ends somebody's wait.
func (q *question[Part, Answer]) leave(who *asker[Answer]) {
	q.waiting = slices.DeleteFunc(q.waiting, func(w *asker[Answer]) bool { return w == who })
	if len(q.waiting) == 0 {
		*q = question[Part, Answer]{}
	}
}

// due reports whether the peer is to be asked now, and then again after a while, or
// whether the time for that is over.
func (q *question[Part, Answer]) due(now time.Time, every time.Duration) (ask, over bool) {
	switch {
	case q.next.IsZero() || now.Before(q.next):
		return false, false
	case !now.Before(q.until):
		return false, true
	}
	q.next = now.Add(every)
	return true, false
}

// part takes in a part of an answer, the nth of so many, and returns all of them, nil while
// some are missing. The numbers are within the bounds of package control.
func (q *question[Part, Answer]) part(n, of int, p *Part) []*Part {
	for len(q.parts) < of {
		q.parts = append(q.parts, nil)
	}
	q.parts[n] = p
	if all := q.parts[:of]; !slices.Contains(all, nil) {
		return all
	}
	return nil
}

// end tells those who wait.
func (q *question[Part, Answer]) end(a *Answer, err error) {
	waiting := q.waiting
	*q = question[Part, Answer]{}
	for _, w := range waiting {
		w.told(a, err)
	}
}
