package history

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// seen is a view of a peer that is up, and its search over.
func seen(change func(v *View)) View {
	v := View{Up: true, Remote: netip.MustParseAddrPort("192.0.2.2:4500"), PLPMTU: 1500, Settled: true, Cause: "probe"}
	if change != nil {
		change(&v)
	}
	return v
}

// text is a record on a line: when, as seconds since the epoch of a test, and what.
func (r *Record) text(epoch time.Time) string {
	s := fmt.Sprintf("%v %v", r.At.Sub(epoch).Round(time.Millisecond), r.Kind)
	if r.Lasted != 0 {
		s += fmt.Sprintf(" %v", r.Lasted)
	}
	if r.Kind == Resized {
		s += fmt.Sprintf(" %d>%d", r.From, r.To)
	}
	for _, word := range []string{r.Cause, r.Endpoint, r.Interface} {
		if word != "" {
			s += " " + word
		}
	}
	if t := r.Traffic; t != nil {
		s += fmt.Sprintf(" tx %d rx %d plpmtu %d handshakes %d", t.TxPackets, t.RxPackets, t.PLPMTU, t.Handshakes)
		if t.Omitted > 0 {
			s += fmt.Sprintf(" omitted %d", t.Omitted)
		}
	}
	return s
}

type look struct {
	after time.Duration // since the look before
	view  View
}

func TestObserver(t *testing.T) {
	other := netip.MustParseAddrPort("198.51.100.7:4500")
	up := seen(nil)
	suspect := func(v *View) { v.PLPMTU, v.Settled, v.Cause = 576, false, "black hole" }
	flows := func(tx, rx uint64) View { return seen(func(v *View) { v.TxPackets, v.RxPackets = tx, rx }) }
	for _, test := range []struct {
		name  string
		looks []look
		want  []string
	}{
		{"a peer that comes up, and its first search", []look{
			{0, View{}},
			{time.Second, seen(func(v *View) { v.PLPMTU, v.Settled, v.Cause = 1228, false, "start" })},
			{60 * time.Millisecond, up},
			{time.Second, up},
		}, []string{"1s established 192.0.2.2:4500", "1s plpmtu 60ms 0>1500 start"}},
		{"a shrink has the cause that began it, not the sizes in between", []look{
			{0, up},
			{time.Second, seen(suspect)},
			{20 * time.Millisecond, seen(func(v *View) { v.PLPMTU, v.Settled, v.Cause = 1394, false, "probe" })},
			{20 * time.Millisecond, seen(func(v *View) { v.PLPMTU = 1400 })},
		}, []string{"0s established 192.0.2.2:4500", "0s plpmtu 0>1500 start", "1s plpmtu 40ms 1500>1400 black hole"}},
		{"two shrinks, the second before the first search has ended, are two", []look{
			{0, up},
			{time.Second, seen(suspect)},
			{20 * time.Millisecond, seen(func(v *View) { v.PLPMTU, v.Settled, v.Cause = 1400, false, "probe" })},
			{20 * time.Millisecond, seen(suspect)},
			{20 * time.Millisecond, seen(func(v *View) { v.PLPMTU, v.Settled, v.Cause = 996, false, "probe" })},
			{20 * time.Millisecond, seen(func(v *View) { v.PLPMTU = 1000 })},
		}, []string{"0s established 192.0.2.2:4500", "0s plpmtu 0>1500 start", "1s plpmtu 40ms 1500>1400 black hole", "1.04s plpmtu 40ms 1400>1000 black hole"}},
		{"one shrink that a search goes down by two steps is one", []look{
			{0, up},
			{time.Second, seen(func(v *View) { v.PLPMTU, v.Settled, v.Cause = 1228, false, "black hole" })},
			{20 * time.Millisecond, seen(func(v *View) { v.PLPMTU, v.Settled, v.Cause = 576, false, "base does not pass" })},
			{20 * time.Millisecond, seen(func(v *View) { v.PLPMTU = 1000 })},
		}, []string{"0s established 192.0.2.2:4500", "0s plpmtu 0>1500 start", "1s plpmtu 40ms 1500>1000 black hole"}},
		{"a false alarm is none", []look{
			{0, up}, {time.Second, seen(suspect)}, {50 * time.Millisecond, up},
		}, []string{"0s established 192.0.2.2:4500", "0s plpmtu 0>1500 start"}},
		{"a search that lasts is told of as far as it got", []look{
			{0, up}, {time.Second, seen(suspect)}, {patience, seen(suspect)}, {time.Second, seen(suspect)}, {time.Second, seen(func(v *View) { v.PLPMTU = 1400 })},
		}, []string{"0s established 192.0.2.2:4500", "0s plpmtu 0>1500 start", "1s plpmtu 2s 1500>576 black hole", "5s plpmtu 576>1400 probe"}},
		{"an outage", []look{
			{0, up},
			{time.Second, seen(func(v *View) { v.Silent = true })},
			{time.Second, seen(func(v *View) { v.Silent = true })},
			{5 * time.Second, up},
		}, []string{"0s established 192.0.2.2:4500", "0s plpmtu 0>1500 start", "1s silent", "7s answers 6s"}},
		{"an outage that outlasts the SAs, after which the size is as it was", []look{
			{0, up},
			{time.Second, seen(func(v *View) { v.Silent = true })},
			{time.Minute, View{Why: "SA expired"}},
			{time.Hour, seen(func(v *View) { v.PLPMTU, v.Settled, v.Cause = 1228, false, "start" })},
			{time.Second, up},
		}, []string{"0s established 192.0.2.2:4500", "0s plpmtu 0>1500 start", "1s silent", "1m1s lost SA expired", "1h1m1s established 1h1m0s 192.0.2.2:4500"}},
		{"the peer moves, and goes by another uplink", []look{
			{0, seen(func(v *View) { v.Interface = "eth0" })},
			{time.Second, seen(func(v *View) { v.Interface, v.Remote, v.Moved = "eth0", other, "peer" })},
			{time.Second, seen(func(v *View) { v.Interface, v.Remote, v.Moved = "wwan0", other, "silent" })},
			{time.Second, seen(func(v *View) { v.Interface, v.Remote, v.Moved = "wwan0", other, "silent" })},
		}, []string{"0s established 192.0.2.2:4500", "0s plpmtu 0>1500 start", "1s moved peer 198.51.100.7:4500 eth0", "2s moved silent 198.51.100.7:4500 wwan0"}},
		{"an event ends a span of traffic, which else lasts a minute", []look{
			{0, up},
			{10 * time.Second, flows(100, 50)},
			{10 * time.Second, seen(func(v *View) { v.TxPackets, v.RxPackets, v.PLPMTU, v.Cause = 200, 50, 1400, "PTB" })},
			{59 * time.Second, seen(func(v *View) { v.TxPackets, v.RxPackets, v.PLPMTU = 300, 50, 1400 })},
			{time.Second, seen(func(v *View) { v.TxPackets, v.RxPackets, v.PLPMTU = 310, 51, 1400 })},
		}, []string{"0s established 192.0.2.2:4500", "0s plpmtu 0>1500 start",
			"0s traffic 20s tx 200 rx 50 plpmtu 1500 handshakes 0", "20s plpmtu 1500>1400 PTB",
			"20s traffic 1m0s tx 110 rx 1 plpmtu 1400 handshakes 0"}},
		{"a rest is no traffic, and what follows on it begins then", []look{
			{0, up}, {10 * time.Minute, seen(func(v *View) { v.Handshakes = 5 })},
			{time.Second, seen(func(v *View) { v.TxPackets, v.Handshakes = 9, 5 })},
			{time.Minute, seen(func(v *View) { v.TxPackets, v.Handshakes = 10, 6 })},
		}, []string{"0s established 192.0.2.2:4500", "0s plpmtu 0>1500 start", "10m0s traffic 1m1s tx 10 rx 0 plpmtu 1500 handshakes 6"}},
		{"a peer at rest has a record an hour", []look{
			{0, up}, {59 * time.Minute, up}, {time.Minute, seen(func(v *View) { v.Handshakes = 30 })}, {59 * time.Minute, up},
		}, []string{"0s established 192.0.2.2:4500", "0s plpmtu 0>1500 start", "0s traffic 1h0m0s tx 0 rx 0 plpmtu 1500 handshakes 30"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			epoch := time.Now()
			now, o := epoch, Observer{Peer: "storage"}
			var all []Record
			for _, l := range test.looks {
				now = now.Add(l.after)
				all = o.Look(all, &l.view, now)
			}
			var got []string
			for i := range all {
				if all[i].Peer != "storage" {
					t.Errorf("%+v is of nobody", all[i])
				}
				got = append(got, all[i].text(epoch.Round(0)))
			}
			if g, w := strings.Join(got, "\n"), strings.Join(test.want, "\n"); g != w {
				t.Errorf("got\n%s\nwant\n%s", g, w)
			}
		})
	}
}

// TestAPathThatFlapsIsBounded: many events cost few records, and the number of the others
// is known.
func TestAPathThatFlapsIsBounded(t *testing.T) {
	now, o := time.Now(), Observer{Peer: "storage"}
	var all []Record
	const rounds = 10_000
	for i := range rounds {
		v := seen(func(v *View) { v.Silent = i%2 == 1; v.TxPackets = uint64(i) })
		all = o.Look(all, &v, now)
		now = now.Add(50 * time.Millisecond)
	}
	v := seen(func(v *View) { v.TxPackets = rounds })
	all = o.Look(all, &v, now.Add(time.Minute))
	var events, omitted uint64
	for _, r := range all {
		if r.Kind == Flow {
			omitted += r.Traffic.Omitted
		} else {
			events++
		}
	}
	elapsed := rounds * 50 * time.Millisecond
	if most := uint64(eventsAtOnce + elapsed/eventPause + 1); events > most || events < most-3 {
		t.Errorf("%d events, want about %d", events, most)
	}
	if events+omitted != rounds+2 { // established, the size, one each round but the first, and the last answer
		t.Errorf("%d events and %d omitted of %d", events, omitted, rounds+2)
	}
}

func TestRunningTrafficIsShownAndGoesOn(t *testing.T) {
	epoch := time.Now()
	o, v := Observer{Peer: "storage"}, seen(nil)
	o.Look(nil, &v, epoch)
	v.TxPackets = 5
	for range 2 { // the same again: nothing is taken away
		got := o.Running(&v, epoch.Add(10*time.Second))
		if len(got) != 1 || got[0].Traffic.TxPackets != 5 || got[0].Lasted != Seconds(10*time.Second) || got[0].Peer != "storage" {
			t.Errorf("%+v", got)
		}
	}
	if got := o.End(nil, &v, epoch.Add(20*time.Second)); len(got) != 1 || got[0].Lasted != Seconds(20*time.Second) {
		t.Errorf("%+v", got)
	}
	if got := o.Running(&v, epoch.Add(30*time.Second)); len(got) != 0 {
		t.Errorf("%+v", got)
	}
}
