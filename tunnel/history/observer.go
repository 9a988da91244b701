package history

import (
	"cmp"
	"net/netip"
	"time"
)

// A View is what can be seen of a peer at a moment.
type View struct {
	Up     bool   // it has an SA pair
	Silent bool   // and does not answer
	Why    string // why it was lost, if it is not up
	// Remote is where the peer is, invalid while that is not known, and Interface by
	// which it is sent to, empty where that is not known. Moved is why it was changed.
	Remote    netip.AddrPort
	Interface string
	Moved     string
	// PLPMTU is that in use, 0 for none. Settled says that no search is under way, and
	// Cause why the PLPMTU was changed last.
	PLPMTU  int
	Settled bool
	Cause   string

	TxBytes, RxBytes, TxPackets, RxPackets, Handshakes uint64 // since the start
	LossPercent, RTTMillis                             float64
}

// An Observer makes the records of one peer out of what it is shown: of every change,
// and of the traffic in between. The zero value, with a name, has seen nothing. It belongs
// to one goroutine.
type Observer struct {
	Peer string

	up, silent bool
	downSince  time.Time // when the peer fell silent or was lost; zero: it answers, or was never up
	remote     netip.AddrPort
	by         string
	size       sizeWatch
	span       span
	events     allowance
}

// Look appends what has happened to the peer since the last look, and the traffic until
// now if a span of it has ended. An event ends a span, so that what flowed before and
// after it can be told apart. now has a monotonic reading.
func (o *Observer) Look(dst []Record, v *View, now time.Time) []Record {
	plpmtu := o.plpmtu(v)
	var room [4]Record
	events := o.changes(room[:0], v, now)
	n := 0
	for _, e := range events {
		if o.events.take(now) {
			events[n] = e
			n++
		} else {
			o.span.omitted++
		}
	}
	return o.named(append(o.span.look(dst, v, plpmtu, n > 0, now), events[:n]...), len(dst))
}

// End appends the traffic until now, as at an event.
func (o *Observer) End(dst []Record, v *View, now time.Time) []Record {
	return o.named(o.span.look(dst, v, o.plpmtu(v), true, now), len(dst))
}

// Running returns the traffic of the span that has not ended, none if nothing has flowed
// in it.
func (o *Observer) Running(v *View, now time.Time) []Record {
	s := o.span
	return o.named(s.look(nil, v, o.plpmtu(v), true, now), 0)
}

// plpmtu is the PLPMTU as it was last told.
func (o *Observer) plpmtu(v *View) int { return cmp.Or(o.size.told, v.PLPMTU) }

// named writes the peer's name into the records that follow on the first ones.
func (o *Observer) named(list []Record, first int) []Record {
	for i := range list[first:] {
		list[first+i].Peer = o.Peer
	}
	return list
}

// wall is a time without its monotonic reading.
func wall(t time.Time) time.Time { return t.Round(0) }

// changes appends the events.
func (o *Observer) changes(dst []Record, v *View, now time.Time) []Record {
	outage := func() (lasted Seconds) {
		if !o.downSince.IsZero() {
			lasted = Seconds(now.Sub(o.downSince))
		}
		o.downSince = time.Time{}
		return lasted
	}
	at := wall(now)
	was := *o
	o.up, o.silent = v.Up, v.Up && v.Silent
	switch {
	case v.Up && !was.up:
		dst = append(dst, Record{At: at, Kind: Established, Endpoint: place(v.Remote), Lasted: outage()})
		o.remote, o.by = v.Remote, v.Interface
	case !v.Up && was.up:
		if o.downSince.IsZero() {
			o.downSince = now
		}
		dst = append(dst, Record{At: at, Kind: Lost, Cause: v.Why})
		o.size.suspend()
	}
	if !v.Up {
		return dst
	}
	switch {
	case o.silent && !was.silent:
		o.downSince = now
		dst = append(dst, Record{At: at, Kind: Silent})
	case !o.silent && was.silent && was.up:
		dst = append(dst, Record{At: at, Kind: Answers, Lasted: outage()})
	}
	if v.Remote != o.remote || v.Interface != o.by && v.Interface != "" && o.by != "" {
		dst = append(dst, Record{At: at, Kind: Moved, Endpoint: place(v.Remote), Interface: v.Interface, Cause: v.Moved})
	}
	o.remote = v.Remote
	if v.Interface != "" {
		o.by = v.Interface
	}
	return o.size.look(dst, v, now)
}

func place(at netip.AddrPort) string {
	if !at.IsValid() {
		return ""
	}
	return at.String()
}
