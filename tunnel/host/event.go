package host

import "net/netip"

// event is a change of the host that the kernel has told.
type event struct {
	of    subject
	gone  bool // deleted; else new, or changed
	index int  // of the interface; 0: none, or several

	// Of an interface.
	up  bool
	mtu int

	// Of an address or a route.
	prefix netip.Prefix

	// Of a route.
	table   int
	kernel  bool // made by the kernel itself
	guard   bool // is like a guard of ours
	metric  bool // has the metric of ours
	metrics Route

	// Of a rule.
	rule item
	own  bool // has the protocol of ours
}

type subject int

const (
	ofOther    subject = iota // what cannot be read
	ofAnything                // what was lost
	ofInterface
	ofAddress
	ofRoute
	ofRule
)

// verdict says whom an event concerns: the upkeep of the Link, those who ask how
// the host reaches others, or neither since it is the echo of our own change.
type verdict struct {
	ours, host bool
}

var (
	echo    = verdict{}
	foreign = verdict{host: true}
	tamper  = verdict{ours: true}
	both    = verdict{ours: true, host: true}
)

// judge compares an event with the wanted state, and takes note of what it puts in
// doubt.
func (w *wanted) judge(e *event) verdict {
	w.mu.Lock()
	defer w.mu.Unlock()
	own := w.index != 0 && e.index == w.index
	switch e.of {
	case ofAnything:
		w.doubt.all = true
		return both
	case ofInterface:
		return w.judgeInterface(e, own)
	case ofAddress:
		return w.judgeAddress(e, own)
	case ofRoute:
		return w.judgeRoute(e, own)
	case ofRule:
		return w.judgeRule(e)
	}
	return foreign
}

func (w *wanted) judgeInterface(e *event, own bool) verdict {
	switch {
	case !own:
		return w.elsewhere()
	case !e.gone && e.up && e.mtu == w.mtu:
		return echo
	}
	w.doubt.device = true
	return tamper
}

// elsewhere is the verdict on a change of another interface. A route in place of
// ours may have gone with it: of that the kernel says nothing.
func (w *wanted) elsewhere() verdict {
	if w.displaced {
		return both
	}
	return foreign
}

func (w *wanted) judgeAddress(e *event, own bool) verdict {
	if !own {
		return w.elsewhere()
	}
	if e.prefix.Addr().IsLinkLocalUnicast() {
		return echo // it follows the interface
	}
	for _, prefix := range w.addresses {
		if prefix != e.prefix {
			continue
		}
		if e.gone {
			w.doubt.device = true
			return tamper
		}
		return echo
	}
	return foreign
}

// judgeRule: ours spare the tunnel's packets, whose ways are the same without them.
// Nevertheless somebody may have made room for another.
func (w *wanted) judgeRule(e *event) verdict {
	switch {
	case !e.own || !w.rules[e.rule]:
		return foreign
	case e.gone:
		return both
	}
	return echo
}

func (w *wanted) judgeRoute(e *event, own bool) verdict {
	route, wanted := w.routes[e.prefix]
	wanted = wanted && e.table == w.tableOf(e.prefix)
	switch {
	case e.guard && w.guards[guardIn(e.prefix, e.table)]:
		if e.gone {
			w.doubt.guard(guardIn(e.prefix, e.table))
			return tamper
		}
		return echo
	case own && wanted && e.metric && !e.gone && e.metrics == route:
		return echo
	case own && wanted && e.metric:
		w.doubt.route(e.prefix)
		return tamper
	case own && e.kernel:
		return echo // it follows an address, or the interface
	case wanted:
		w.doubt.route(e.prefix)
		return both // it may be in place of ours, or have made room for it
	}
	return foreign
}
