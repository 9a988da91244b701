package tunnel

import (
	"errors"
	"sync/atomic"

	"fathom/esp"
	"fathom/tunnel/udp"
)

// dropReason names why a packet went nowhere. Every packet that is dropped is
// counted under exactly one reason: a peer's where its SA names the peer, else
// the tunnel's. Handshake messages count as the tunnel's.
type dropReason uint8

const (
	dropNoRoute       dropReason = iota // no peer has the inner destination
	dropNotIP                           // neither IPv4 nor IPv6, or cut short
	dropLoop                            // one of our own outer packets, which the host has routed into the tunnel
	dropNoSA                            // no SA yet and the waiting room is full
	dropTooLarge                        // larger than the inner MTU, and not to be carried in pieces
	dropStanding                        // one of a queue that does not empty, to tell its sender to slow down
	dropUncuttable                      // a superpacket that must not be cut
	dropSend                            // the kernel refused the outer packet
	dropSendFull                        // a queue of the host had no room for the outer packet
	dropSendTooLarge                    // the kernel called the outer packet too large for its link
	dropSendNotTried                    // the kernel has just refused some outer packets in a row that were no larger
	dropUnproved                        // more than may be sent to a place where the peer has not proved to be
	dropExhausted                       // the SA has no sequence numbers left
	dropUnknownSPI                      // no SA receives under the packet's SPI
	dropReplay                          // seen before, or behind the window
	dropAuth                            // the ICV is wrong
	dropMalformed                       // authentic, but not what RFC 4303 prescribes
	dropSource                          // the inner source address is not the peer's
	dropDummy                           // a dummy packet that is no control message
	dropCongestion                      // marked as congested on the way, and unable to say so (RFC 6040)
	dropNextHeader                      // a next header that is not in use here
	dropDevice                          // the TUN device refused the inner packet
	dropNotESP                          // a datagram that is neither ESP, handshake nor keepalive
	dropHandshake                       // a handshake message that is not authentic or not wanted
	dropVersion                         // a handshake message of another version
	dropHandshakeRate                   // a handshake message beyond the rate of its source, its peer, or all
	dropCookieAsked                     // an initiation whose sender was asked to prove its address
	dropBusy                            // a queue to the control goroutine is full, or a message has waited in it for too long
	dropReasons                         // their number
)

var dropNames = [dropReasons]string{
	dropNoRoute: "no_route", dropNotIP: "not_ip", dropLoop: "loop", dropNoSA: "no_sa", dropTooLarge: "too_large", dropStanding: "standing_queue", dropUncuttable: "uncuttable", dropCongestion: "congestion",
	dropSend: "send_error", dropSendFull: "send_queue_full", dropSendTooLarge: "send_too_large", dropSendNotTried: "send_not_tried", dropUnproved: "unproved_place", dropExhausted: "sa_exhausted",
	dropUnknownSPI: "unknown_spi", dropReplay: "replay", dropAuth: "auth", dropMalformed: "malformed",
	dropSource: "source_address", dropDummy: "dummy", dropNextHeader: "next_header",
	dropDevice: "device", dropNotESP: "not_esp", dropHandshake: "handshake", dropVersion: "handshake_version", dropHandshakeRate: "handshake_rate", dropCookieAsked: "cookie_asked", dropBusy: "busy",
}

func (r dropReason) String() string { return dropNames[r] }

// drops counts dropped packets by reason. Any goroutine may use it.
type drops [dropReasons]atomic.Uint64

func (d *drops) count(r dropReason) { d.add(r, 1) }

func (d *drops) add(r dropReason, packets int) { d[r].Add(uint64(packets)) }

// snapshot returns the counters that are not zero.
func (d *drops) snapshot() map[string]uint64 {
	m := make(map[string]uint64)
	for r := range dropReasons {
		if n := d[r].Load(); n > 0 {
			m[r.String()] = n
		}
	}
	return m
}

// dropReasonOf names the reason behind an error of sending.
func dropReasonOf(err error) dropReason {
	switch {
	case errors.Is(err, esp.ErrExhausted):
		return dropExhausted
	case errors.Is(err, udp.ErrTooBig):
		return dropSendTooLarge
	case errors.Is(err, udp.ErrFull):
		return dropSendFull
	case errors.Is(err, udp.ErrNotTried):
		return dropSendNotTried
	case errors.Is(err, errUnproved):
		return dropUnproved
	default:
		return dropSend
	}
}
