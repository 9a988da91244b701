package history

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

// at is a record some hours after noon.
func at(hours float64, kind Kind) Record {
	return Record{At: noon.Add(time.Duration(hours * float64(time.Hour))), Kind: kind}
}

func set(hours, by float64) Record {
	r := at(hours, ClockSet)
	r.Lasted = Seconds(time.Duration(by * float64(time.Hour)))
	return r
}

func TestAlign(t *testing.T) {
	for _, test := range []struct {
		name    string
		records []Record
		now     float64
		want    []float64
	}{
		{"a clock that nobody sets", []Record{at(0, Started), at(1, Lost), at(2, Stopped), at(3, Started)}, 4, []float64{0, 1, 2, 3}},
		{"a clock that was an hour behind", []Record{at(0, Started), at(1, Lost), set(2.5, 1), at(3, Silent)}, 4, []float64{1, 2, 2.5, 3}},
		{"a clock that was an hour ahead", []Record{at(0, Started), at(1, Lost), set(0.5, -1), at(1, Silent)}, 4, []float64{-1, 0, 0.5, 1}},
		{"a clock that was set twice", []Record{at(0, Started), set(1.5, 1), at(2, Lost), set(4, 1), at(5, Silent)}, 6, []float64{2, 2.5, 3, 4, 5}},
		{"a run with a wrong clock, and one before with the right one", []Record{at(0, Started), at(1, Lost), at(-9, Started), set(2, 11), at(3, Silent)}, 4, []float64{0, 1, 2, 2, 3}},
		{"a run that ended after the next began", []Record{at(5, Started), at(7, Lost), at(2, Started), at(3, Silent)}, 4, []float64{0, 2, 2, 3}},
		{"a run that is in the future", []Record{at(5, Started), at(7, Lost)}, 4, []float64{2, 4}},
	} {
		t.Run(test.name, func(t *testing.T) {
			Align(test.records, noon.Add(time.Duration(test.now*float64(time.Hour))))
			var got []float64
			for _, r := range test.records {
				got = append(got, r.At.Sub(noon).Hours())
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestTheClockIsWatched(t *testing.T) {
	var c Clock
	running, asleep := time.Minute, time.Duration(0)
	wall := noon
	for _, test := range []struct {
		name                 string
		wall, running, sleep time.Duration // since the look before
		want                 []Record
	}{
		{"the first look", 0, 0, 0, nil},
		{"nothing", time.Second, time.Second, 0, nil},
		{"a clock that is disciplined", time.Second, 1300 * time.Millisecond, 0, nil},
		{"set forward", time.Hour + time.Second, time.Second, 0, []Record{{Kind: ClockSet, Lasted: Seconds(time.Hour)}}},
		{"set back", -time.Hour + time.Second, time.Second, 0, []Record{{Kind: ClockSet, Lasted: -Seconds(time.Hour)}}},
		{"asleep", 8*time.Hour + time.Second, time.Second, 8 * time.Hour, []Record{{Kind: Slept, Lasted: Seconds(8 * time.Hour)}}},
		{"asleep, and set", 9*time.Hour + time.Second, time.Second, 8 * time.Hour, []Record{{Kind: Slept, Lasted: Seconds(8 * time.Hour)}, {Kind: ClockSet, Lasted: Seconds(time.Hour)}}},
	} {
		wall, running, asleep = wall.Add(test.wall), running+test.running, asleep+test.sleep
		got := c.Look(nil, wall, running, asleep)
		for i := range got {
			if end := got[i].At.Add(time.Duration(got[i].Lasted)); got[i].Kind == Slept && !end.Equal(wall) || got[i].Kind == ClockSet && !got[i].At.Equal(wall) {
				t.Errorf("%s: at %v, and it is %v", test.name, got[i].At, wall)
			}
			got[i].At = time.Time{}
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s: %s", test.name, diff)
		}
	}
}

func TestSelectKeepsWhatHeld(t *testing.T) {
	of := func(peer string, r Record) Record { r.Peer = peer; return r }
	all := []Record{
		at(0, Started), of("a", at(1, Established)), of("a", at(2, Lost)), of("a", at(2.25, Resized)), // of an earlier run
		at(3, Started), of("a", at(4, Established)), of("b", at(4, Established)), of("a", at(4.25, Resized)), of("a", at(4.5, Resized)),
		of("a", at(5, Silent)), of("b", at(5, Moved)), of("a", at(11, Answers)),
	}
	data, ends := encode(all)
	for _, test := range []struct {
		q    Query
		want []int
		from float64
	}{
		{Query{From: noon.Add(10 * time.Hour)}, []int{4, 6, 8, 9, 10, 11}, 10},
		{Query{Peer: "a", From: noon.Add(10 * time.Hour)}, []int{4, 8, 9, 11}, 10},
		{Query{From: noon.Add(-time.Hour)}, []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}, -1},
		{Query{From: noon.Add(-time.Hour), AtMost: 3}, []int{4, 5, 6, 8, 9, 10, 11}, 5},
	} {
		got, from := test.q.Select(noon.Add(12*time.Hour), data[:ends[4]], data[ends[4]:])
		var want []Record
		for _, i := range test.want {
			want = append(want, all[i])
		}
		if diff := cmp.Diff(want, got); diff != "" || from.Sub(noon).Hours() != test.from {
			t.Errorf("%+v: from %v, %s", test.q, from, diff)
		}
	}
}

// TestAnAnswerTakesMemoryForWhatItTells, however much a file holds, and tells what held
// before.
func TestAnAnswerTakesMemoryForWhatItTells(t *testing.T) {
	of := func(peer string, r Record) Record { r.Peer = peer; return r }
	all := []Record{at(0, Started), of("a", at(0.1, Established)), of("b", at(0.1, Moved))}
	for i := range 5000 {
		r := at(0.2+float64(i)/1000, Flow)
		r.Traffic = new(Traffic)
		all = append(all, of("a", r), of("a", at(0.2+float64(i)/1000, Silent)), of("a", at(0.2+float64(i)/1000, Answers)))
	}
	all = append(all, of("b", at(6, Silent)), of("b", at(7, Lost)))
	data, _ := encode(all)
	got, from := Query{From: noon, AtMost: 2}.Select(noon.Add(8*time.Hour), data)
	n := len(all)
	want := []Record{all[0], all[2], all[n-3], all[n-2], all[n-1]}
	if diff := cmp.Diff(want, got); diff != "" || !from.Equal(all[n-2].At) {
		t.Errorf("from %v, %s", from, diff)
	}
	if c := cap(got); c > 20 {
		t.Errorf("room for %d records", c)
	}
}

func TestALogKeepsTheLastRecords(t *testing.T) {
	r := Record{At: noon, Peer: "storage", Kind: Silent}
	frame := Append(nil, &r)
	const limit = 10_000
	l := NewLog(limit)
	var early Snapshot
	for i := range 5000 {
		r.At = noon.Add(time.Duration(i) * time.Second)
		l.Add(Append(nil, &r))
		if i == 100 {
			early = l.Snapshot()
		}
		s := l.Snapshot()
		if n := len(s[0]) + len(s[1]); n > limit || i > limit/len(frame) && n < limit/2-len(frame) {
			t.Fatalf("%d bytes after %d records", n, i)
		}
	}
	got, from := Query{}.Select(noon.Add(5000*time.Second), early[0], early[1])
	if len(got) != 101 || !from.IsZero() {
		t.Errorf("a snapshot has changed: %d records", len(got))
	}
	s := l.Snapshot()
	got, _ = Query{}.Select(noon.Add(5000*time.Second), s[0], s[1])
	for i, r := range got {
		if want := noon.Add(time.Duration(5000-len(got)+i) * time.Second); !r.At.Equal(want) {
			t.Fatalf("record %d is of %v, want %v", i, r.At, want)
		}
	}
	again := NewLog(limit, s[0], s[1]).Snapshot()
	if same, _ := (Query{}).Select(noon.Add(5000*time.Second), again[0], again[1]); !cmp.Equal(got, same) {
		t.Error("what a file held is not what the log of the next run holds")
	}
	if big := NewLog(limit, make([]byte, 10*limit)).Snapshot(); len(big[0])+len(big[1]) > limit {
		t.Error("a large file makes a large log")
	}
}
