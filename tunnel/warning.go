package tunnel

import (
	"errors"
	"time"

	"fathom/tunnel/status"
)

// warning is an error that the operator should hear of: something that the
// configuration, the host or the peer's operator can mend.
type warning struct {
	what    string
	hint    string        // what the operator can do
	cause   error         // nil: what says it all
	details []any         // for the log, in pairs of key and value
	reason  status.Reason // why the peer is not up; empty: that is no reason
	words   string        // of the reason; empty: those of Error
	rare    bool          // whoever has made it makes few: no limit is needed
}

func (w *warning) Error() string {
	if w.cause == nil {
		return w.what
	}
	return w.what + ": " + w.cause.Error()
}

func (w *warning) Unwrap() error { return w.cause }

// warnEvery limits the warnings about one peer, or all strangers, since the
// network can cause them.
const warnEvery = 30 * time.Second

// warn tells the operator of an error that is a *warning: of a peer's, or with nil
// of a stranger's. It does so rarely: the network decides how many there are.
func (c *controller) warn(p *peer, err error, now time.Time) {
	var w *warning
	if errors.As(err, &w) {
		c.tell(p, w, now)
	}
}

// tell logs a warning; nil: none.
func (c *controller) tell(p *peer, w *warning, now time.Time) {
	if w == nil {
		return
	}
	details, limit := w.details, &c.strangers
	if p != nil {
		details, limit = append([]any{"peer", p.name}, details...), &p.warnings
	}
	if w.cause != nil {
		details = append(details, "error", w.cause)
	}
	if w.hint != "" {
		details = append(details, "hint", w.hint)
	}
	if w.rare || limit.allow(now) {
		c.log.Warn(w.what, details...)
	} else {
		c.log.Debug(w.what, details...)
	}
}
