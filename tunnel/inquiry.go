package tunnel

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"fathom/tunnel/status"
)

const (
	// askEvery is how often a peer is sent an echo as long as somebody waits for its
	// answer.
	askEvery = time.Second
	// callEvery is how often the back-off of the initiations begins anew meanwhile.
	callEvery = 5 * time.Second
)

// inquiries are the requests of the status socket that wait for an answer of a peer
// (`fathom wait`). The zero value has none; owned by the control goroutine; pure.
type inquiries struct {
	list   []*inquiry
	next   time.Time // when the peer is asked again
	called time.Time // when it was last called
}

// inquiry is one of them. An echo that was sent before it began proves nothing.
type inquiry struct {
	began time.Time
	done  chan time.Duration // gets the round trip, and has room for it; closed: the peer is gone
}

func (i *inquiries) waiting() bool { return len(i.list) > 0 }

// add has the peer asked now.
func (i *inquiries) add(q *inquiry) {
	i.list, i.next = append(i.list, q), q.began
}

// remove ends an inquiry, if it is under way.
func (i *inquiries) remove(q *inquiry) {
	i.list = slices.DeleteFunc(i.list, func(one *inquiry) bool { return one == q })
}

// look says whether the peer is to be sent an echo now, and whether it is to be called:
// if it does not answer, or has no SA.
func (i *inquiries) look(answers bool, now time.Time) (ask, call bool) {
	if !i.waiting() || now.Before(i.next) {
		return false, false
	}
	i.next = now.Add(askEvery)
	call = !answers && (i.called.IsZero() || now.Sub(i.called) >= callEvery)
	if call {
		i.called = now
	}
	return true, call
}

// answered ends the inquiries that had begun when the echo was sent which has just
// been answered.
func (i *inquiries) answered(sent time.Time, rtt time.Duration) {
	i.list = slices.DeleteFunc(i.list, func(q *inquiry) bool {
		answers := !sent.Before(q.began)
		if answers {
			q.done <- rtt
		}
		return answers
	})
}

// end ends all inquiries: the peer is gone.
func (i *inquiries) end() {
	for _, q := range i.list {
		close(q.done)
	}
	i.list = nil
}

// named returns the peer of a name. It is the control goroutine's.
func (c *controller) named(name string) (*peer, error) {
	at := slices.IndexFunc(c.peers, func(p *peer) bool { return p.name == name })
	if at < 0 {
		return nil, &noPeerError{name}
	}
	return c.peers[at], nil
}

// noPeerError matches status.ErrNoPeer.
type noPeerError struct{ name string }

func (e *noPeerError) Error() string { return fmt.Sprintf("there is no peer %q", e.name) }
func (e *noPeerError) Unwrap() error { return status.ErrNoPeer }

// errSilent ends an inquiry that has lasted for too long.
var errSilent = errors.New("the inquiry has lasted for too long")

// echo asks the named peer for an answer until one comes, or ctx is done: see
// status.Source.
func (c *controller) echo(ctx context.Context, name string) (*status.EchoReport, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, status.EchoTimeout, errSilent)
	defer cancel()
	q := &inquiry{done: make(chan time.Duration, 1)}
	var p *peer
	var unknown error
	err := c.events.ask(ctx, func(c *controller, now time.Time) {
		if p, unknown = c.named(name); unknown != nil {
			return
		}
		q.began = now
		p.inquiries.add(q)
		c.attend(p, now)
	})
	if err == nil && unknown != nil {
		return nil, unknown
	}
	if err == nil {
		select {
		case rtt, answered := <-q.done:
			if !answered {
				return nil, &noPeerError{name}
			}
			report := &status.EchoReport{Peer: name, RTTMillis: millis(rtt)}
			if to := p.session.Load(); to != nil {
				report.Endpoint = to.path.Remote().String()
			}
			return report, nil
		case <-ctx.Done():
			err = context.Cause(ctx)
		case <-c.events.closed:
			err = errStopped
		}
	}
	_ = c.events.deliver(context.Background(), ofRequest, func(*controller, time.Time) {
		if p != nil {
			p.inquiries.remove(q)
		}
	})
	if errors.Is(err, errSilent) {
		err = fmt.Errorf("%w of peer %s within %v", status.ErrNoAnswer, name, status.EchoTimeout)
	}
	return nil, err
}

// inquire asks a peer for which somebody waits.
func (c *controller) inquire(p *peer, now time.Time) {
	ask, call := p.inquiries.look(p.sas.current != nil && !p.liveness.silent(), now)
	if call {
		p.initiations.hurry(now)
	}
	if ask && p.sas.current != nil {
		c.messenger.echo(p, now)
	}
}
