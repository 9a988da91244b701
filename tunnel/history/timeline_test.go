package history

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"
)

// picture draws columns: the kilobytes sent, the PLPMTU, "?" for unknown, "x" for down, and
// how many events.
func picture(columns []Column) string {
	var b strings.Builder
	for _, c := range columns {
		switch {
		case !c.Known:
			b.WriteString("?")
		case c.Down:
			b.WriteString("x")
		}
		fmt.Fprintf(&b, "%.0f/%d/%d ", c.TxBytes/1000, c.PLPMTU, len(c.Events))
	}
	return strings.TrimSpace(b.String())
}

func TestTimeline(t *testing.T) {
	flow := func(hours, lasted float64, bytes uint64, plpmtu int) Record {
		r := at(hours, Flow)
		r.Peer, r.Lasted, r.Traffic = "a", Seconds(time.Duration(lasted*float64(time.Hour))), &Traffic{TxBytes: bytes, PLPMTU: plpmtu}
		return r
	}
	of := func(hours float64, kind Kind) Record { r := at(hours, kind); r.Peer = "a"; return r }
	size := func(hours float64, from, to int) Record {
		r := of(hours, Resized)
		r.From, r.To = from, to
		return r
	}
	for _, test := range []struct {
		name    string
		records []Record
		runs    bool
		want    string
	}{
		{"nothing is known", nil, true, "?0/0/0 ?0/0/0 ?0/0/0 ?0/0/0"},
		{"a start, and a peer that comes up", []Record{at(1, Started), of(1.5, Established), size(1.5, 0, 1500)}, true, "?0/0/0 x0/1500/3 0/1500/0 0/1500/0"},
		{"a shrink and a growth; the least counts", []Record{size(1.25, 1500, 1400), size(1.5, 1400, 1500)}, true, "0/1500/0 0/1400/2 0/1500/0 0/1500/0"},
		{"traffic is shared out", []Record{flow(0.5, 2, 8000, 1500)}, false, "2/1500/0 4/1500/0 2/1500/0 ?0/0/0"},
		{"an outage", []Record{of(1.5, Silent), of(2.5, Answers)}, true, "0/0/0 x0/0/1 x0/0/1 0/0/0"},
		{"a crash: unknown until the start", []Record{flow(0, 0.5, 1000, 1500), at(2, Started)}, true, "1/1500/0 ?0/0/0 x0/0/1 x0/0/0"},
		{"an end, and no start", []Record{size(0.5, 0, 1500), at(1, Stopped)}, false, "0/1500/1 ?0/0/1 ?0/0/0 ?0/0/0"},
		{"what held before the line", []Record{at(-9, Started), of(-8, Established), size(-8, 0, 1400), of(2, Lost)}, true, "0/1400/0 0/1400/0 x0/0/1 x0/0/0"},
		{"another peer's", []Record{{At: noon, Peer: "b", Kind: Lost}}, true, "?0/0/0 ?0/0/0 ?0/0/0 ?0/0/0"},
	} {
		if got := picture(Timeline(test.records, "a", noon, noon.Add(4*time.Hour), 4, test.runs)); got != test.want {
			t.Errorf("%s:\ngot  %s\nwant %s", test.name, got, test.want)
		}
	}
	if Timeline(nil, "a", noon, noon, 4, true) != nil || Timeline(nil, "a", noon, noon.Add(time.Hour), 0, true) != nil {
		t.Error("a line without a length")
	}
}

// TestNoByteIsLost: whatever the spans and the columns are, all that flowed within the line
// is in it.
func TestNoByteIsLost(t *testing.T) {
	for columns := 1; columns < 50; columns += 3 {
		var records []Record
		var sum float64
		for i := range 97 {
			r := at(float64(i)/97*23, Flow)
			r.Lasted, r.Traffic = Seconds(time.Duration(i)*37*time.Second), &Traffic{TxBytes: uint64(i * 1000)}
			if i == 0 {
				r.Lasted = Seconds(time.Millisecond)
			}
			records, sum = append(records, r), sum+float64(i*1000)
		}
		var got float64
		for _, c := range Timeline(records, "", noon, noon.Add(24*time.Hour), columns, false) {
			got += c.TxBytes
		}
		if math.Abs(got-sum) > 1 {
			t.Errorf("%d columns: %f bytes of %f", columns, got, sum)
		}
	}
}

func TestAround(t *testing.T) {
	flow := func(hours float64) Record { r := at(hours, Flow); r.Lasted = Seconds(time.Minute); return r }
	event := at(1, Resized)
	other := flow(1.001)
	other.Peer = "b"
	for _, test := range []struct {
		records       []Record
		i             int
		before, after bool
	}{
		{[]Record{flow(1 - 1.0/60), event, other, flow(1.001)}, 1, true, true},
		{[]Record{flow(0), event, flow(2)}, 1, false, false},
		{[]Record{event}, 0, false, false},
	} {
		before, after := Around(test.records, test.i)
		if (before != nil) != test.before || (after != nil) != test.after || after != nil && after.Peer != "" {
			t.Errorf("%v: %v, %v", test.records, before, after)
		}
	}
}
