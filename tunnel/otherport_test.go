package tunnel

import (
	"errors"
	"net/netip"
	"slices"
	"testing"

	"fathom/conf"
)

// fakePorts opens second ports without sockets, and counts them.
type fakePorts struct {
	opened, accepted, closed int
	err                      error
}

func (f *fakePorts) open() (*trial, error) {
	if f.err != nil {
		return nil, f.err
	}
	f.opened++
	return &trial{accept: func() { f.accepted++ }, close: func() { f.closed++ }}, nil
}

// calledPeer has some places, all configured.
func calledPeer(places int) *peer {
	p := newPeer(conf.Peer{Endpoints: make([]conf.Endpoint, 1)})
	for i := range places {
		p.candidates = append(p.candidates, netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(i)}), 4500))
	}
	return p
}

// callFrom makes initiations to a peer, with the ids from first on, and returns those that
// leave by a second port.
func callFrom(t *testing.T, o *otherPort, p *peer, first, many int) (second []int) {
	t.Helper()
	for id := first; id < first+many; id++ {
		by, err := o.called(p, uint32(id))
		if err != nil {
			t.Fatal(err)
		}
		if by != nil {
			second = append(second, id)
		}
	}
	return second
}

func TestOtherPort(t *testing.T) {
	for _, test := range []struct {
		of     string
		places int
		many   int
		want   []int // which of the initiations, counted from 1, leave by a second port
		opened int
	}{
		{"patience", 1, portPatience - 1, nil, 0},
		{"in turn with the first", 1, 10, []int{6, 8, 10}, 1},
		{"round by round", 3, 14, []int{6, 7, 8, 12, 13, 14}, 1},
		{"patience with many places", 4, 11, []int{8, 9, 10, 11}, 1},
		{"another after a while", 1, 18, []int{6, 8, 10, 12, 14, 16, 18}, 2},
		{"no place", 0, 7, []int{6}, 1},
	} {
		f := new(fakePorts)
		o := &otherPort{open: f.open}
		if got := callFrom(t, o, calledPeer(test.places), 1, test.many); !slices.Equal(got, test.want) || f.opened != test.opened || f.closed != max(f.opened-1, 0) {
			t.Errorf("%s: %v by a second port, of which %d were opened and %d closed", test.of, got, f.opened, f.closed)
		}
	}
}

// TestTheSecondPortIsTakenOrGivenUp: whichever is answered first is used.
func TestTheSecondPortIsTakenOrGivenUp(t *testing.T) {
	f := new(fakePorts)
	o := &otherPort{open: f.open}
	p, other := calledPeer(1), calledPeer(1)
	peers := []*peer{p, other}
	if o.answered(1) {
		t.Error("answered before it is there")
	}
	callFrom(t, o, p, 1, 6)
	callFrom(t, o, other, 101, 6)
	if o.answered(5) || f.accepted > 0 {
		t.Error("an answer to the first port")
	}
	p.unanswered = 0
	if o.settle(peers); o.trial == nil {
		t.Error("given up although a peer wants it")
	}
	other.unanswered = 0
	if o.settle(peers); o.trial != nil || f.closed != 1 {
		t.Error("not given up")
	}
	callFrom(t, o, p, 11, 6)
	if !o.answered(16) || f.accepted != 1 || o.trial != nil || f.closed != 1 {
		t.Errorf("the second port is answered: %+v", f)
	}
	if o.answered(16) || f.accepted != 1 {
		t.Error("answered twice")
	}
}

// TestNoOtherPort: where the port is fixed, for peers that this end waits for, and while
// none can be opened.
func TestNoOtherPort(t *testing.T) {
	f := new(fakePorts)
	fixed := &otherPort{open: f.open, hint: portHint(4500, false)}
	p := calledPeer(1)
	callFrom(t, fixed, p, 1, 20)
	if f.opened > 0 || p.advice(fixed) != "" {
		t.Errorf("%d opened, advice %q to a peer that was never up", f.opened, p.advice(fixed))
	}
	p.handshakes = 1
	if p.advice(fixed) != fixed.hint {
		t.Errorf("advice %q", p.advice(fixed))
	}
	waits := newPeer(conf.Peer{})
	waits.handshakes = 1
	callFrom(t, &otherPort{open: f.open}, waits, 1, 20)
	if f.opened > 0 || waits.advice(fixed) != "" {
		t.Errorf("%d opened for a peer that is to call", f.opened)
	}
	f.err = errors.New("no sockets")
	o, q := &otherPort{open: f.open}, calledPeer(1)
	failed := 0
	for id := range 20 {
		if by, err := o.called(q, uint32(id)); err != nil {
			failed++
		} else if by != nil {
			t.Error("by a port that is not there")
		}
	}
	if failed == 0 {
		t.Error("the failure is not told")
	}
	if portHint(0, false) != "" || portHint(0, true) == "" {
		t.Error("a port that can be changed has a hint, or the rules of a default route none")
	}
}
