package history

import (
	"slices"
	"time"
)

// A Query selects records.
type Query struct {
	Peer string // empty: of all peers
	From time.Time
	// AtMost bounds the records; the newest remain. 0: all.
	AtMost int
}

// Select returns the records of encoded histories, which follow on each other, that a
// query asks for, and those of the tunnel: in the order in which they were written, and
// aligned to the clock that shows now. Of what had ended before From, only the records
// remain that say what held then. from is Query.From, or later where there were more than
// AtMost.
func (q Query) Select(now time.Time, histories ...[]byte) (records []Record, from time.Time) {
	excess := 0
	if q.AtMost > 0 {
		n := 0
		q.each(histories, func(*Record) { n++ })
		excess = max(n-q.AtMost, 0)
	}
	before := backlog{limit: q.AtMost}
	i, first := 0, 0
	q.each(histories, func(r *Record) {
		switch i++; {
		case i <= excess:
			before.add(r)
			first = len(before.records)
		default:
			before.records = append(before.records, *r)
		}
	})
	records = before.records
	Align(records, now)
	from = q.From
	if excess > 0 && records[first].At.After(from) {
		from = records[first].At
	}
	return since(records, from), from
}

// each calls f with the records of histories that the query asks for, and with those of
// the tunnel.
func (q Query) each(histories [][]byte, f func(*Record)) {
	for _, data := range histories {
		Decode(data, func(r *Record) bool {
			if q.Peer == "" || r.Peer == "" || r.Peer == q.Peer {
				f(r)
			}
			return true
		})
	}
}

// backlog keeps, of records that are too many, those that say what holds behind them, and
// what Align needs. So an answer takes memory for what it tells, not for all that a file
// holds.
type backlog struct {
	limit   int // when it is cleared out
	records []Record
}

func (b *backlog) add(r *Record) {
	switch of := r.Kind.aspect(); {
	case of == ofRun:
		b.records = b.records[:0] // an earlier run of the tunnel holds nothing
	case of == ofNothing && r.Kind != ClockSet:
		return
	}
	if b.records = append(b.records, *r); len(b.records) > b.limit {
		b.clearOut()
		b.limit = max(b.limit, 2*len(b.records))
	}
}

// clearOut leaves the last record of each aspect of each peer.
func (b *backlog) clearOut() {
	held := make(map[aspectOf]bool)
	slices.Reverse(b.records)
	b.records = slices.DeleteFunc(b.records, func(r Record) bool {
		k := aspectOf{r.Peer, r.Kind.aspect()}
		superseded := held[k] && k.aspect != ofNothing
		held[k] = true
		return superseded
	})
	slices.Reverse(b.records)
}

// aspectOf is an aspect of a peer, or of the tunnel.
type aspectOf struct {
	peer   string
	aspect aspect
}

// since leaves out what had ended by then, but what held still.
func since(records []Record, from time.Time) []Record {
	held := make(map[aspectOf]bool) // is known from a later record
	ended := false                  // an earlier run of the tunnel holds nothing
	keep := make([]bool, len(records))
	for i := len(records) - 1; i >= 0; i-- {
		r := &records[i]
		if keep[i] = !r.End().Before(from); keep[i] || ended {
			continue
		}
		if of := r.Kind.aspect(); of != ofNothing {
			k := aspectOf{r.Peer, of}
			keep[i], held[k] = !held[k], true
			ended = of == ofRun
		}
	}
	i := -1
	return slices.DeleteFunc(records, func(Record) bool { i++; return !keep[i] })
}

// An aspect is what an event changes. The last event of an aspect says what holds.
type aspect uint8

const (
	ofNothing aspect = iota
	ofRun            // of the tunnel: which ends all others
	ofReach          // of a peer
	ofSize
	ofPlace
)

func (k Kind) aspect() aspect {
	switch k {
	case Started, Stopped:
		return ofRun
	case Established, Lost, Silent, Answers:
		return ofReach
	case Resized:
		return ofSize
	case Moved:
		return ofPlace
	}
	return ofNothing
}
