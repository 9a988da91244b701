package tunnel

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

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
	const minute, sends = time.Minute, 50 * time.Millisecond
	// At most, each end asks once in idleEcho. At least, one does, up to a tick late: the
	// echo of one end is a sign of life to the other, and puts its own off.
	rounds := int(minute / (idleEcho + tick))
	for _, test := range []struct {
		name   string
		load   func(left, right *virtual)
		atMost map[control.Type]int
		least  map[control.Type]int
	}{
		{"idle", func(_, _ *virtual) { time.Sleep(minute) },
			map[control.Type]int{control.Echo: 2 * int(minute/idleEcho), control.EchoReply: 2 * int(minute/idleEcho)},
			map[control.Type]int{control.Echo: rounds, control.EchoReply: rounds}},
		// The PLPMTU is configured, so that no report is asked for, and data is heard both
		// ways, so that no echo is.
		{"busy both ways", func(left, right *virtual) {
			for range int(minute / sends) {
				left.send(1)
				right.send(1)
				time.Sleep(sends)
			}
		}, nil, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				left, right := virtualPair(t, conf.Tunnel{RekeyAfter: time.Hour}, 0)
				time.Sleep(2 * idleEcho) // the echoes find their rhythm
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
				if diff := cmp.Diff(sent[control.Echo], sent[control.EchoReply]); diff != "" {
					t.Errorf("echoes and replies differ: %s", diff)
				}
			})
		})
	}
}
