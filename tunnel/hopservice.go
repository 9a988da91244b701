package tunnel

import (
	"cmp"
	"errors"
	"fmt"
	"time"

	"fathom/tunnel/control"
	"fathom/tunnel/hops"
)

// This file lets the ends of a tunnel ask each other for a measurement of the hops, each
// of its own direction.

const (
	// hopServiceEvery and hopServiceBurst bound how often a peer has us measure, and
	// hopAnswerEvery and hopAnswerBurst how often it hears of it.
	hopServiceEvery = time.Second
	hopServiceBurst = 2
	hopAnswerEvery  = 100 * time.Millisecond
	hopAnswerBurst  = 10

	// askHopsEvery is how often the peer is asked until it has answered, and askHopsFor
	// for how long: its measurement has bounds of its own.
	askHopsEvery = 500 * time.Millisecond
	askHopsFor   = 12 * time.Second
)

// hopService is what this end does for the peer. Owned by the control goroutine.
type hopService struct {
	begins, answers limit
	token           uint64 // of the last request that was granted; 0: none was
	parts           []control.HopsResult
}

func (s *hopService) init() {
	s.begins.interval, s.begins.burst = hopServiceEvery, hopServiceBurst
	s.answers.interval, s.answers.burst = hopAnswerEvery, hopAnswerBurst
}

// serveHops acts on a request of the peer's. It comes again until the answer has got
// there.
func (c *controller) serveHops(p *peer, token uint64, now time.Time) {
	s := &p.hopService
	if !s.answers.allow(now) {
		return
	}
	if token == 0 || token != s.token {
		if token == 0 || !s.begins.allow(now) {
			c.answerHops(p, []control.HopsResult{{Token: token, State: control.HopsRefused}}) // it asks again
			return
		}
		s.token, s.parts = token, []control.HopsResult{{Token: token, State: control.HopsUnderWay}}
		err := p.measureHops(&hopWait{func(r *hops.Report, err error) {
			if s.token != token {
				return
			}
			if err != nil {
				s.token, s.parts = 0, nil // the next request begins another
				return
			}
			s.parts = hopParts(token, r)
			c.answerHops(p, s.parts)
		}}, now)
		if err != nil {
			s.token, s.parts = 0, nil
			return
		}
	}
	c.answerHops(p, s.parts)
}

func (c *controller) answerHops(p *peer, parts []control.HopsResult) {
	for i := range parts {
		_ = c.messenger.control(p, control.AppendHopsReport(nil, &parts[i]), 0)
	}
}

// farHops is what this end has asked the peer for. Owned by the control goroutine.
type farHops struct {
	question[control.HopsResult, hops.Report]
	problem string // that the peer has told last
}

// hopFarWait is somebody who waits for the result.
type hopFarWait = asker[hops.Report]

// requestHops has the peer asked for its measurement.
func (p *peer) requestHops(who *hopFarWait, now time.Time) {
	if pair := p.sas.current; pair == nil || pair.features&featureHops == 0 {
		who.told(nil, errors.New("its version of Fathom does not know this measurement"))
		return
	}
	if p.farHops.ask(who, now, askHopsFor) {
		p.farHops.problem = ""
	}
}

// askForHops asks the peer, again and again, as long as somebody waits.
func (c *controller) askForHops(p *peer, now time.Time) {
	f := &p.farHops
	ask, over := f.due(now, askHopsEvery)
	switch {
	case over:
		f.end(nil, errors.New(cmp.Or(f.problem, fmt.Sprintf("it has not answered within %v", askHopsFor))))
	case ask:
		_ = c.messenger.control(p, control.AppendToken(nil, control.HopsRequest, f.token), 0)
	}
}

// report takes in an answer of the peer's, which may be one of several parts.
func (f *farHops) report(e control.Element) {
	r, err := e.Hops()
	if err != nil || f.token == 0 || r.Token != f.token {
		return
	}
	switch r.State {
	case control.HopsRefused:
		f.problem = fmt.Sprintf("it measures no more than once in %v on request, and has refused for %v", hopServiceEvery, askHopsFor)
	case control.HopsDone:
		if all := f.part(r.Part, r.Parts, &r); all != nil {
			whole := joinHops(all)
			if len(whole.Hops) == 0 {
				f.end(nil, errors.New("its answer is empty"))
				return
			}
			f.end(whole, nil)
		}
	}
}
