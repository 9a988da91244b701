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
	for _, data := range histories {
		Decode(data, func(r *Record) bool {
			if q.Peer == "" || r.Peer == "" || r.Peer == q.Peer {
				records = append(records, *r)
			}
			return true
		})
	}
	Align(records, now)
	from = q.From
	if excess := len(records) - q.AtMost; q.AtMost > 0 && excess > 0 && records[excess].At.After(from) {
		from = records[excess].At
	}
	return since(records, from), from
}

// since leaves out what had ended by then, but what held still.
func since(records []Record, from time.Time) []Record {
	type key struct {
		peer string
		of   aspect
	}
	held := make(map[key]bool) // is known from a later record
	ended := false             // an earlier run of the tunnel holds nothing
	keep := make([]bool, len(records))
	for i := len(records) - 1; i >= 0; i-- {
		r := &records[i]
		if keep[i] = !r.End().Before(from); keep[i] || ended {
			continue
		}
		if of := r.Kind.aspect(); of != ofNothing {
			k := key{r.Peer, of}
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
