package tunnel

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"fathom/conf"
	"fathom/tunnel/control"
)

// messageKinds counts the elements of the control messages that some ends send.
type messageKinds struct {
	mu sync.Mutex
	n  map[control.Type]int // guarded by mu
}

// countKinds counts from now on what an end sends.
func (k *messageKinds) countKinds(v *virtual) {
	v.do(func(time.Time) { v.messenger.sender = kindCounter{v.messenger.sender, k} })
}

// take returns the counts, and begins anew.
func (k *messageKinds) take() map[control.Type]int {
	k.mu.Lock()
	defer k.mu.Unlock()
	n := k.n
	k.n = make(map[control.Type]int)
	return n
}

type kindCounter struct {
	messageSender
	*messageKinds
}

func (c kindCounter) control(to *session, payload []byte, size int) error {
	elements, err := control.Parse(nil, payload)
	if err != nil {
		panic(err)
	}
	c.mu.Lock()
	for _, e := range elements {
		c.n[e.Type]++
	}
	c.mu.Unlock()
	return c.messageSender.control(to, payload, size)
}

// TestOnePairSendsWhatItSentBefore there were challenges: the exact numbers of each kind
// of message, in the traffic of a minute. A host with one pair has no other.
func TestOnePairSendsWhatItSentBefore(t *testing.T) {
	const minute, often, seldom = time.Minute, 5 * time.Millisecond, 50 * time.Millisecond
	// At most, each end asks once in idleEcho. At least, one does, up to a tick late: the
	// echo of one end is a sign of life to the other, and puts its own off.
	rounds := int(minute / (idleEcho + tick))
	// Small packets are asked about when they come to 2400 bytes (package pmtud), which a
	// packet of virtual.send has 200 of. The first of them may belong to the minute before.
	asks := int(minute / (2400 / 200 * often))
	discovering := func(t *testing.T) (left, right *virtual) {
		left, right = newDiscoveringPair(t, conf.Tunnel{RekeyAfter: time.Hour})
		right.start(t)
		left.start(t)
		return left, right
	}
	configured := func(t *testing.T) (left, right *virtual) {
		return virtualPair(t, conf.Tunnel{RekeyAfter: time.Hour}, 0)
	}
	for _, test := range []struct {
		name   string
		ends   func(t *testing.T) (left, right *virtual)
		load   func(left, right *virtual)
		atMost map[control.Type]int
		least  map[control.Type]int
	}{
		{"idle", discovering, func(_, _ *virtual) { time.Sleep(minute) },
			map[control.Type]int{control.Echo: 2 * int(minute/idleEcho), control.EchoReply: 2 * int(minute/idleEcho)},
			map[control.Type]int{control.Echo: rounds, control.EchoReply: rounds}},
		// The reports are a sign of life to the one end, the data to the other.
		{"busy one way", discovering, func(left, _ *virtual) {
			for range int(minute / often) {
				left.send(1)
				time.Sleep(often)
			}
			time.Sleep(time.Second) // the last report is on its way
		},
			map[control.Type]int{control.ReportRequest: asks + 1, control.Report: asks + 1},
			map[control.Type]int{control.ReportRequest: asks - 1, control.Report: asks - 1}},
		// The PLPMTU is configured, so that no report is asked for, and data is heard both
		// ways, so that no echo is.
		{"busy both ways", configured, func(left, right *virtual) {
			for range int(minute / seldom) {
				left.send(1)
				right.send(1)
				time.Sleep(seldom)
			}
		}, nil, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				left, right := test.ends(t)
				// The search ends, and the echoes find their rhythm.
				time.Sleep(2 * idleEcho)
				for _, end := range []*virtual{left, right} {
					settled := false
					end.do(func(time.Time) { settled = end.peer.sas.current != nil && end.peer.discovery.Settled() })
					if !settled {
						t.Fatal("not up, or the search goes on")
					}
				}
				k := &messageKinds{n: make(map[control.Type]int)}
				k.countKinds(left)
				k.countKinds(right)
				test.load(left, right)
				sent := k.take()
				t.Logf("%v", sent)
				for kind, n := range sent {
					if n > test.atMost[kind] {
						t.Errorf("%d messages of type %d, want at most %d", n, kind, test.atMost[kind])
					}
				}
				for kind, n := range test.least {
					if sent[kind] < n {
						t.Errorf("%d messages of type %d, want at least %d", sent[kind], kind, n)
					}
				}
				for question, answer := range map[control.Type]control.Type{control.Echo: control.EchoReply, control.ReportRequest: control.Report} {
					if sent[question] != sent[answer] {
						t.Errorf("%d messages of type %d, and %d answers", sent[question], question, sent[answer])
					}
				}
			})
		})
	}
}
