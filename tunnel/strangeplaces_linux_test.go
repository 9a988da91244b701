package tunnel

import (
	"bytes"
	"errors"
	"log/slog"
	"net/netip"
	"testing"
	"time"

	"fathom/tunnel/control"
	"fathom/tunnel/host"
)

// narrowHost is a countingHost that may have no way anywhere.
type narrowHost struct {
	*countingHost
	closed bool
}

var errNowhere = errors.New("network is unreachable")

func (h narrowHost) Egress(flow host.Flow) (host.Egress, error) {
	e, err := h.countingHost.Egress(flow)
	if h.closed {
		err = errNowhere
	}
	return e, err
}

func (h narrowHost) Ways(listen netip.AddrPort, uplinks []string, remotes []netip.AddrPort) []host.Way {
	h.asked["ways"] += len(remotes)
	return h.countingHost.Ways(listen, uplinks, remotes)
}

// TestThousandsOfPlacesCostLittle: a peer's packets come from ever other places, or from
// a few in turn, to which there is a way or none. What the host is asked, what is logged
// and what is sent does not grow with their number.
func TestThousandsOfPlacesCostLittle(t *testing.T) {
	const packets, every = 10_000, time.Millisecond
	const seconds = int(packets * every / time.Second)
	for _, test := range []struct {
		name   string
		places int
		closed bool
	}{
		{"one place", 1, false},
		{"four in turn", 4, false},
		{"ever others", packets, false},
		{"one place, no way there", 1, true},
		{"ever others, no way there", packets, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWanderer(t)
			w.pass(time.Minute)
			counted := newCountingHost()
			w.host.network = narrowHost{counted, test.closed}
			var lines bytes.Buffer
			w.controller.log = slog.New(slog.NewTextHandler(&lines, &slog.HandlerOptions{Level: slog.LevelInfo}))
			sent := w.peer.sent.Load()
			for n := range packets {
				at := netip.AddrPortFrom(netip.MustParseAddr("203.0.113.7"), uint16(1+n%test.places))
				w.dead[at] = true
				w.hear(at, control.AppendProbeAck(nil, 1, false)) // which asks for no answer
				w.peer.paths.Arrived(w.peer.path.pair, 200, false, w.now)
				w.pass(every)
			}
			asked := counted.asked["ways"]
			for _, n := range counted.looks {
				asked += n
			}
			if most := askedAtOnce + 1 + seconds*int(time.Second/askedEvery); asked > most {
				t.Errorf("%d packets: the host is asked %d times, want %d at most", packets, asked, most)
			}
			if test.places == 1 && !test.closed && asked > 2 {
				t.Errorf("%d questions about one place", asked)
			}
			want := 0
			if test.closed {
				want = 1 + seconds/int(warnEvery/time.Second)
			}
			if n := bytes.Count(lines.Bytes(), []byte("\n")); n != want {
				t.Errorf("%d lines in the log, want %d: %s", n, want, lines.String())
			}
			// Ten challenges of strangers a second, and those of the pair in use.
			if n := int(w.peer.sent.Load() - sent); n > 20*(seconds+2) {
				t.Errorf("%d messages are sent in %d s", n, seconds)
			}
			if w.peer.path.Remote() != placeA {
				t.Errorf("the peer is at %v", w.peer.path.Remote())
			}
			t.Logf("%d packets in %d s: %d questions, %d messages", packets, seconds, asked, w.peer.sent.Load()-sent)
		})
	}
}
