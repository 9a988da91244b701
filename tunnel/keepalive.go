package tunnel

import "time"

// keepalive keeps the mapping of a NAT on the path to a peer alive (RFC 3948
// section 4): it asks for a single byte after a time without any packet. Owned
// by the control goroutine; pure.
type keepalive struct {
	interval time.Duration // 0: off
	sent     uint64        // at the last look
	quiet    time.Time     // since when sent has not changed
}

// look compares the counter of packets sent with that of the look before, and
// reports whether a keepalive is due.
func (k *keepalive) look(now time.Time, sent uint64) (due bool) {
	if k.interval == 0 {
		return false
	}
	if sent != k.sent {
		k.sent, k.quiet = sent, now
		return false
	}
	if now.Sub(k.quiet) < k.interval {
		return false
	}
	k.quiet = now
	return true
}

// deadline is when the next keepalive is due if no packet is sent before.
func (k *keepalive) deadline() time.Time {
	if k.interval == 0 {
		return time.Time{}
	}
	return k.quiet.Add(k.interval)
}
