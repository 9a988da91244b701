package tunnel

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"testing"
	"time"

	"fathom/conf"
	"fathom/crypto"
	"fathom/esp"
	"fathom/pmtud"
	"fathom/tunnel/control"
	"fathom/tunnel/udp"
)

// wanderer is a controller whose one peer can be heard at several places. The peer
// answers a round trip later, by what it was asked by, unless that is dead or the
// packet too long. Time is the test's.
type wanderer struct {
	*virtual
	t       *testing.T
	now     time.Time
	mtus    map[netip.AddrPort]int // bytes of the outer IP packet
	dead    map[netip.AddrPort]bool
	answers []answer // in order
	probes  map[netip.AddrPort]int
}

type answer struct {
	at      time.Time
	from    netip.AddrPort
	message []byte
}

const wandererTrip = 20 * time.Millisecond // there and back

var (
	placeA = netip.MustParseAddrPort("198.51.100.1:4500")
	placeB = netip.MustParseAddrPort("198.51.100.2:4500")
	ours   = netip.MustParseAddr("192.0.2.1")
)

// newWanderer has a peer that is established at placeA.
func newWanderer(t *testing.T) *wanderer {
	w := &wanderer{t: t, now: time.Now(), mtus: make(map[netip.AddrPort]int), dead: make(map[netip.AddrPort]bool), probes: make(map[netip.AddrPort]int)}
	w.virtual = newWire().newVirtual(t, "192.0.2.1:4500", crypto.PrivateKey{1}, conf.Tunnel{RekeyAfter: 24 * time.Hour}, conf.Peer{PublicKey: conf.Key{1}})
	w.mtus[placeA], w.mtus[placeB] = 1500, 1358
	w.messenger.sender = w
	w.begin(w.now)
	establishAt(t, w.controller, w.peer, placeA, ours, w.now)
	w.pass(time.Second)
	return w
}

func (w *wanderer) probe(to *session, payload []byte, size int, _ variant) error {
	return w.control(to, payload, size)
}

func (w *wanderer) control(to *session, payload []byte, size int) error {
	numbers, err := to.sa.Reserve(1)
	if err != nil {
		return err
	}
	at := to.path.Remote()
	to.sa.sizes.Record(numbers.Next(), max(size, 100), to.path.number, false)
	if size > 0 {
		w.probes[at]++
	}
	if w.dead[at] || size > w.mtus[at] {
		return nil
	}
	elements, err := control.Parse(nil, payload)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, e := range elements {
		var message []byte
		switch e.Type {
		case control.Echo:
			message = control.AppendToken(nil, control.EchoReply, e.Token())
		case control.PathChallenge:
			message = control.AppendPathResponse(nil, e.Token(), e.Generation())
		case control.Probe:
			message = control.AppendProbeAck(nil, e.Token(), false)
		default:
			continue
		}
		w.answers = append(w.answers, answer{w.now.Add(wandererTrip), at, message})
	}
	return nil
}

func (w *wanderer) flush() error                         { return nil }
func (w *wanderer) keepalive(*udp.Destination) error     { return nil }
func (w *wanderer) plain([]byte, *udp.Destination) error { return nil }
func (w *wanderer) hear(from netip.AddrPort, message []byte) {
	w.peer.authentic.Add(1)
	w.handleControl(w.peer.sas.current.inbound, message, false, origin{from: from, local: ours, bytes: 200, newest: true}, w.now)
	w.attend(w.peer, w.now)
}

// pass lets time pass.
func (w *wanderer) pass(d time.Duration) { w.until(d, func() bool { return false }) }

// until lets time pass until the condition holds, and reports whether it does.
func (w *wanderer) until(d time.Duration, holds func() bool) bool {
	for end := w.now.Add(d); !holds(); {
		at := earliest(end, w.agenda.next())
		if len(w.answers) > 0 && w.answers[0].at.Before(at) {
			at = w.answers[0].at
		}
		if !at.Before(end) {
			w.now = end
			return false
		}
		if at.After(w.now) {
			w.now = at
		}
		if len(w.answers) > 0 && !w.answers[0].at.After(w.now) {
			a := w.answers[0]
			w.answers = w.answers[1:]
			w.hear(a.from, a.message)
			continue
		}
		for _, p := range w.agenda.take(w.now, 1) {
			w.attend(p, w.now)
		}
	}
	return true
}

// appears lets the peer be heard at a place, while it is dead at the other.
func (w *wanderer) appears(at netip.AddrPort) bool {
	other := placeA
	if at == placeA {
		other = placeB
	}
	w.dead[at], w.dead[other] = false, true
	for range 100 {
		w.hear(at, control.AppendToken(nil, control.Echo, 1))
		if w.until(100*time.Millisecond, func() bool { return w.peer.path.Remote() == at }) {
			return true
		}
	}
	return false
}

// known has the peer be heard at placeB, so that it is searched, and stay at placeA.
func (w *wanderer) known() {
	w.t.Helper()
	w.hear(placeB, control.AppendToken(nil, control.Echo, 1))
	w.pass(10 * time.Second)
	if w.peer.path.Remote() != placeA {
		w.t.Fatalf("the peer is at %v", w.peer.path.Remote())
	}
}

// TestASwitchAppliesWhatIsKnown of the other path: the session that leads there has the
// right size from the beginning.
func TestASwitchAppliesWhatIsKnown(t *testing.T) {
	w := newWanderer(t)
	w.known()
	for i, to := range []netip.AddrPort{placeB, placeA, placeB, placeA} {
		if i > 0 {
			w.pass(10 * time.Second)
		}
		want := w.mtus[to] &^ 3
		if !w.appears(to) {
			t.Fatalf("the peer is not followed to %v", to)
		}
		path := w.peer.session.Load().path
		if path.Remote() != to || path.plpmtu != want || path.innerMTU != esp.InnerMTU(false, want) {
			t.Errorf("at %v: PLPMTU %d, inner MTU %d", path.Remote(), path.plpmtu, path.innerMTU)
		}
		w.pass(time.Second)
		if d := w.peer.discovery; d.PLPMTU() != want || d.State() != pmtud.SearchComplete {
			t.Errorf("at %v, confirmed: PLPMTU %d, %v", to, d.PLPMTU(), d.State())
		}
		for _, e := range w.peer.discovery.History() {
			if e.Cause == pmtud.CauseBlackHole || e.Cause == pmtud.CauseStart {
				t.Errorf("%+v", e)
			}
		}
	}
}

// TestHostsHearOfALargerSizeLater: of a smaller one at once. Switches to and fro do not
// disturb them.
func TestHostsHearOfALargerSizeLater(t *testing.T) {
	w := newWanderer(t)
	w.known()
	small, large := esp.InnerMTU(false, 1356), esp.InnerMTU(false, 1500)
	told := func() int { return w.peer.appliedHostMTU }
	if told() != large {
		t.Fatalf("told %d at first", told())
	}
	for range 3 {
		for _, to := range []netip.AddrPort{placeB, placeA} {
			w.pass(10 * time.Second)
			if !w.appears(to) {
				t.Fatalf("the peer is not followed to %v", to)
			}
			if told() != small {
				t.Errorf("told %d at %v", told(), to)
			}
		}
	}
	moved := w.now
	if !w.until(2*time.Minute, func() bool { return told() == large }) || w.now.Sub(moved) < holdHostMTU-time.Second {
		t.Errorf("told %d after %v", told(), w.now.Sub(moved))
	}
	if w.peer.deadline().Before(w.now) && !w.peer.deadline().IsZero() || !w.peer.heldUntil.IsZero() {
		t.Error("a timer runs on")
	}
}

// TestStandbysAreForgotten with the pairs, and are not probed while nothing keeps those
// proved.
func TestStandbysAreForgotten(t *testing.T) {
	w := newWanderer(t)
	if n := len(w.peer.standbys.all); n > 0 || w.peer.standbys.number != 1 {
		t.Fatalf("%d standbys with one pair", n)
	}
	w.known()
	if n := len(w.peer.standbys.all); n != 1 || w.probes[placeB] == 0 {
		t.Fatalf("%d standbys, %d probes", n, w.probes[placeB])
	}
	if d := w.peer.standbys.all[0]; d.PLPMTU() != 1356 || !d.Settled() {
		t.Errorf("PLPMTU %d standing by", d.PLPMTU())
	}
	probes := w.probes[placeB]
	w.pass(10 * time.Minute)
	if n := w.probes[placeB] - probes; n > 0 || len(w.peer.standbys.all) > 0 || !w.peer.standbys.at.IsZero() {
		t.Errorf("%d more probes, %d standbys", n, len(w.peer.standbys.all))
	}
}

// TestPTBsAndRefusalsConcernThePathOfTheirPacket, whichever is in use by then.
func TestPTBsAndRefusalsConcernThePathOfTheirPacket(t *testing.T) {
	w := newWanderer(t)
	w.known()
	sa := w.peer.sas.current.outbound
	record := func() uint32 {
		numbers, err := sa.Reserve(1)
		if err != nil {
			t.Fatal(err)
		}
		seq := numbers.Next()
		sa.sizes.Record(seq, 1500, w.peer.path.number, true)
		return seq
	}
	seq, session := record(), w.peer.session.Load()
	former := w.peer.discovery
	if !w.appears(placeB) {
		t.Fatal("the peer is not followed")
	}
	w.pass(time.Second)
	inUse := w.peer.discovery
	quote := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, sa.SPI()), seq)
	w.events.icmp(udp.ICMP{Kind: udp.PTB, To: placeA, MTU: 1400, Quote: quote})
	w.actOnNext()
	if former.PLPMTU() >= 1500 || inUse.PLPMTU() != 1356 {
		t.Errorf("after a PTB: %d by the former path, %d by that in use", former.PLPMTU(), inUse.PLPMTU())
	}
	w.events.tooBig(session, 1200)
	w.actOnNext()
	if former.PLPMTU() >= 1200 || inUse.PLPMTU() != 1356 {
		t.Errorf("after a refusal: %d by the former path, %d by that in use", former.PLPMTU(), inUse.PLPMTU())
	}
	if slices.Contains(w.peer.standbys.all, inUse) || w.peer.discoveryNumbered(0) != nil {
		t.Error("a discovery has two places, or packets without number have one")
	}
}

// TestNumbersTellDiscoveriesApart, also when all have been given once.
func TestNumbersTellDiscoveriesApart(t *testing.T) {
	var s standbys
	inUse := s.begin(pmtud.Config{}, nil)
	for range 3 {
		s.put(s.begin(pmtud.Config{}, inUse))
	}
	s.number = maxPathNumber - 1
	seen := map[uint16]bool{inUse.number: true}
	for _, d := range s.all {
		seen[d.number] = true
	}
	for range 3 {
		d := s.begin(pmtud.Config{}, inUse)
		if seen[d.number] || d.number == 0 || d.token>>63 != 0 {
			t.Errorf("number %d is given twice, or none", d.number)
		}
		seen[d.number] = true
		s.put(d)
	}
}

// TestFalseAlarmsAreThoseOfAllPaths: their count does not change with the path.
func TestFalseAlarmsAreThoseOfAllPaths(t *testing.T) {
	p := newPeer(conf.Peer{})
	for i := range 3 {
		p.standbys.counts.FalseAlarms++
		p.discovery = p.standbys.begin(discoveryConfig(p.config), nil)
		if n := p.status(time.Now()).PMTUD.FalseAlarms; n != i+1 {
			t.Errorf("%d false alarms on path %d", n, i)
		}
	}
}
