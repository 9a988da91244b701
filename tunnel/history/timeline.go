package history

import "time"

// A Column is a part of a time line.
type Column struct {
	From, To time.Time
	// TxBytes and RxBytes are what flowed. A span of traffic that lies in several columns
	// counts in each by its share.
	TxBytes, RxBytes float64
	// PLPMTU is the smallest that was in use, in bytes of the outer IP packet; 0: unknown.
	PLPMTU int
	// Known says that the tunnel is known to have run, and Down that the peer could not be
	// reached, each at least for a part of the time.
	Known, Down bool
	// Events are those of the peer and of the tunnel, oldest first: every record but Flow.
	Events []Record
}

// TxRate and RxRate are in bytes a second.
func (c *Column) TxRate() float64 { return c.TxBytes / c.To.Sub(c.From).Seconds() }
func (c *Column) RxRate() float64 { return c.RxBytes / c.To.Sub(c.From).Seconds() }

// Timeline lays out the records of a peer, as Query.Select returns them, in a number of
// columns of equal length. runs says that the tunnel runs, so that what held last holds
// still.
func Timeline(records []Record, peer string, from, to time.Time, columns int, runs bool) []Column {
	if columns <= 0 || !from.Before(to) {
		return nil
	}
	line := line{from: from, width: max(to.Sub(from)/time.Duration(columns), 1), columns: make([]Column, columns)}
	for i := range line.columns {
		line.columns[i].From = from.Add(time.Duration(i) * line.width)
		line.columns[i].To = line.columns[i].From.Add(line.width)
	}
	var own []Record
	for _, r := range records {
		if r.Peer == "" || r.Peer == peer {
			own = append(own, r)
		}
	}
	s, at := firstState(own), from
	for _, r := range own {
		if r.Kind == Started && s.runs { // it has crashed, or the host has: nobody has recorded when
			s.runs = false
		}
		line.hold(at, r.At, s)
		at = later(at, r.At)
		if r.Kind == Flow {
			line.flow(&r)
			line.hold(at, r.End(), s)
			at = later(at, r.End())
		} else if i, ok := line.at(r.At); ok {
			line.columns[i].Events = append(line.columns[i].Events, r)
		}
		s.take(&r)
	}
	if runs {
		line.hold(at, to, s)
	}
	return line.columns
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// state is what holds at a moment.
type state struct {
	runs, down bool
	plpmtu     int
}

// firstState is what held before the first record, as the first ones tell.
func firstState(records []Record) (s state) {
	if len(records) == 0 {
		return s
	}
	first := records[0]
	s.runs = first.Kind != Started
	s.down = first.Kind == Answers || first.Kind == Established
	for _, r := range records {
		switch r.Kind {
		case Resized:
			s.plpmtu = r.From
			return s
		case Flow:
			s.plpmtu = r.Traffic.PLPMTU
			return s
		case Started:
			return s
		}
	}
	return s
}

// take takes in a record.
func (s *state) take(r *Record) {
	switch r.Kind {
	case Started:
		*s = state{runs: true, down: true}
	case Stopped:
		*s = state{}
	case Established, Answers:
		s.runs, s.down = true, false
	case Lost, Silent:
		s.runs, s.down = true, true
	case Resized:
		s.plpmtu = r.To
	case Flow:
		s.runs = true
		if r.Traffic.PLPMTU > 0 {
			s.plpmtu = r.Traffic.PLPMTU
		}
	}
}

// line is a time line that is being filled.
type line struct {
	from    time.Time
	width   time.Duration
	columns []Column
}

// at returns the column of a moment. The end of the line belongs to its last column.
func (l *line) at(t time.Time) (i int, ok bool) {
	if t.Before(l.from) {
		return 0, false
	}
	i = int(t.Sub(l.from) / l.width)
	if i == len(l.columns) && !t.After(l.columns[i-1].To) {
		i--
	}
	return i, i < len(l.columns)
}

// each calls f with the columns in which a span of time lies, and how much of each it
// takes.
func (l *line) each(from, to time.Time, f func(c *Column, share time.Duration)) {
	if from.Before(l.from) {
		from = l.from
	}
	for from.Before(to) {
		i, ok := l.at(from)
		c := &Column{}
		if ok {
			c = &l.columns[i]
		}
		if !ok || !from.Before(c.To) {
			return
		}
		end := c.To
		if to.Before(end) {
			end = to
		}
		f(c, end.Sub(from))
		from = end
	}
}

// hold fills in what held in a span of time.
func (l *line) hold(from, to time.Time, s state) {
	if !s.runs {
		return
	}
	l.each(from, to, func(c *Column, _ time.Duration) {
		c.Known = true
		if s.down {
			c.Down = true
		} else if s.plpmtu > 0 && (c.PLPMTU == 0 || s.plpmtu < c.PLPMTU) {
			c.PLPMTU = s.plpmtu
		}
	})
}

// flow fills in what flowed.
func (l *line) flow(r *Record) {
	length := r.End().Sub(r.At)
	if length <= 0 {
		return
	}
	l.each(r.At, r.End(), func(c *Column, share time.Duration) {
		part := float64(share) / float64(length)
		c.TxBytes += part * float64(r.Traffic.TxBytes)
		c.RxBytes += part * float64(r.Traffic.RxBytes)
	})
}

// near is how far from an event the traffic before and after it may be.
const near = 2 * spanLength

// Around returns the spans of traffic that ended just before an event, records[i], and
// began just after it; nil: there is none.
func Around(records []Record, i int) (before, after *Record) {
	e := &records[i]
	told := e.At.Add(time.Duration(e.Lasted))
	for j := i - 1; j >= 0 && before == nil; j-- {
		if r := &records[j]; r.Peer == e.Peer && r.Kind == Flow {
			if told.Sub(r.End()) > near {
				break
			}
			before = r
		}
	}
	for j := i + 1; j < len(records) && after == nil; j++ {
		if r := &records[j]; r.Peer == e.Peer && r.Kind == Flow {
			if r.At.Sub(told) > near {
				break
			}
			after = r
		}
	}
	return before, after
}
