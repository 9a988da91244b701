package tunnel

import "time"

// maxInitiations is how many initiations a second are opened without a cookie.
const maxInitiations = 50

// handshakeLoad counts the initiations of all senders and tells whether there are
// too many: then senders must prove their addresses first. Any goroutine may use
// it.
type handshakeLoad struct{ spare limit }

func newHandshakeLoad() handshakeLoad {
	return handshakeLoad{limit{interval: time.Second / maxInitiations, burst: maxInitiations}}
}

// high counts one initiation and reports whether there are too many.
func (l *handshakeLoad) high(now time.Time) bool { return !l.spare.allow(now) }
