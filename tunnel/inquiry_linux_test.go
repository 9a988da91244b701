package tunnel

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"fathom/conf"
	"fathom/tunnel/status"
)

// TestAnEchoIsAnsweredNow: after one round trip on an established pair, and not by an
// answer from before.
func TestAnEchoIsAnsweredNow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		left, _ := virtualPair(t, conf.Tunnel{}, 0)
		began := time.Now()
		r, err := left.echo(context.Background(), left.peer.name)
		if err != nil {
			t.Fatal(err)
		}
		trip := 2 * left.wire.trip
		if took := time.Since(began); took != trip || r.RTTMillis != millis(trip) || r.Endpoint != "192.0.2.2:4500" || r.Peer != left.peer.name {
			t.Errorf("after %v: %+v", took, r)
		}
	})
}

// TestAnEchoWaitsForALatePeer, whose SA is gone and which does not call by itself.
func TestAnEchoWaitsForALatePeer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		left, right := virtualPair(t, conf.Tunnel{}, 0)
		right.mute.Store(true)
		right.stop()
		var r *status.EchoReport
		var err error
		answered := make(chan struct{})
		go func() { r, err = left.echo(context.Background(), left.peer.name); close(answered) }()
		time.Sleep(11 * time.Second)
		select {
		case <-answered:
			t.Fatalf("a peer that is gone has answered: %+v, %v", r, err)
		default:
		}
		right.restart(t, true)
		began := time.Now()
		<-answered
		if err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took > callEvery+time.Second {
			t.Errorf("%v after the peer was back", took)
		}
	})
}

func TestAnEchoOfADeadPeerEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		left, right := virtualPair(t, conf.Tunnel{}, 0)
		right.mute.Store(true)
		right.stop()
		began := time.Now()
		_, err := left.echo(context.Background(), left.peer.name)
		if !errors.Is(err, status.ErrNoAnswer) || time.Since(began) != status.EchoTimeout {
			t.Errorf("after %v: %v", time.Since(began), err)
		}
		left.do(func(time.Time) {
			if left.peer.inquiries.waiting() {
				t.Error("the inquiry goes on")
			}
		})
		if _, err := left.echo(context.Background(), "nobody"); !errors.Is(err, status.ErrNoPeer) {
			t.Errorf("unknown peer: %v", err)
		}
	})
}
