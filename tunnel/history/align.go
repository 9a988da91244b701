package history

import "time"

// Align moves the times of records, which stand in the order in which they were written,
// to where the clock of today would have put them; now is the time by that clock. What
// was recorded in a run of the tunnel before the clock was set moves by as much as it was
// set. A run that would end later than the next one began, or later than now, moves back
// as a whole: its clock was ahead, and nobody has recorded by how much.
func Align(records []Record, now time.Time) {
	for end := len(records); end > 0; {
		begin := end - 1
		for begin > 0 && records[begin].Kind != Started {
			begin--
		}
		run := records[begin:end]
		alignRun(run, now)
		now, end = run[0].At, begin
	}
}

// alignRun moves the records of one run, which has ended by the limit.
func alignRun(run []Record, limit time.Time) {
	var shift, over time.Duration
	for i := len(run) - 1; i >= 0; i-- {
		r := &run[i]
		r.At = r.At.Add(shift)
		over = max(over, r.End().Sub(limit))
		if r.Kind == ClockSet {
			shift += time.Duration(r.Lasted)
		}
	}
	for i := range run {
		r := &run[i]
		r.At = r.At.Add(-over)
		if r.End().After(limit) { // by more than a duration can be
			r.At = limit.Add(r.At.Sub(r.End()))
		}
	}
}
