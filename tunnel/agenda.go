package tunnel

import (
	"container/heap"
	"time"
)

// agenda is when each peer is to be attended to next: the earliest first, so
// that an hour in which nothing is due costs nothing, however many peers there
// are. Owned by the control goroutine; pure.
type agenda struct {
	// epoch is when the ticks began that coarse deadlines are rounded to.
	epoch        time.Time
	appointments appointments
	due          []*peer // scratch
}

// appointment is a peer's entry in the agenda.
type appointment struct {
	peer  *peer
	at    time.Time // zero: not in the agenda
	index int       // in the heap
}

// tick is how much later a coarse deadline may be met, and how often a peer is
// looked at while packets flow.
const tick = 250 * time.Millisecond

// coarse rounds a deadline up to the next tick. The peers' coarse deadlines so
// fall together, and one wake-up serves all that are due within a tick. Zero,
// which is no deadline, stays zero.
func (a *agenda) coarse(at time.Time) time.Time {
	if at.IsZero() {
		return at
	}
	since := at.Sub(a.epoch)
	if over := since % tick; over > 0 {
		since += tick - over
	}
	return a.epoch.Add(since)
}

// set notes when a peer is due, zero for never. It replaces the earlier note.
func (a *agenda) set(m *appointment, at time.Time) {
	scheduled := !m.at.IsZero()
	m.at = at
	switch {
	case scheduled && at.IsZero():
		heap.Remove(&a.appointments, m.index)
	case scheduled:
		heap.Fix(&a.appointments, m.index)
	case !at.IsZero():
		heap.Push(&a.appointments, m)
	}
}

// next returns when the next peer is due, zero if none is.
func (a *agenda) next() time.Time {
	if len(a.appointments) == 0 {
		return time.Time{}
	}
	return a.appointments[0].at
}

// take returns peers that are due, those first that have been for longest, and
// forgets them until they are set again. The slice is valid until the next call.
func (a *agenda) take(now time.Time, atMost int) []*peer {
	a.due = a.due[:0]
	for len(a.due) < atMost && len(a.appointments) > 0 && !a.appointments[0].at.After(now) {
		m := heap.Pop(&a.appointments).(*appointment)
		m.at = time.Time{}
		a.due = append(a.due, m.peer)
	}
	return a.due
}

// appointments is a heap by time.
type appointments []*appointment

func (h appointments) Len() int           { return len(h) }
func (h appointments) Less(i, j int) bool { return h[i].at.Before(h[j].at) }
func (h appointments) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

func (h *appointments) Push(x any) {
	m := x.(*appointment)
	m.index = len(*h)
	*h = append(*h, m)
}

func (h *appointments) Pop() any {
	last := len(*h) - 1
	m := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	return m
}

// earliest returns the earliest of some deadlines. Zero is no deadline.
func earliest(deadlines ...time.Time) (first time.Time) {
	for _, at := range deadlines {
		if !at.IsZero() && (first.IsZero() || at.Before(first)) {
			first = at
		}
	}
	return first
}
