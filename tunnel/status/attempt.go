package status

import "time"

// Attempt is how this end tries to reach a peer that is not up.
type Attempt struct {
	// Endpoint is where the last initiation went, host:port; empty while it is not known
	// where the peer is.
	Endpoint string `json:"endpoint,omitempty"`
	// Number counts the initiations since the peer was last heard of, or was wanted.
	Number int `json:"number"`
	// Next is when the next one is due, null while none is.
	Next *time.Time `json:"next"`
	// Reason is why the attempts so far came to nothing, as the last one told; empty
	// before the first has ended.
	Reason Reason `json:"reason,omitempty"`
	// Detail is the reason in words.
	Detail string `json:"detail,omitempty"`
}

// Stranger is the last caller that this end does not know: it has sent an initiation with
// a public key that no peer has.
type Stranger struct {
	PublicKey string    `json:"public_key"` // base64
	From      string    `json:"from"`       // host:port
	At        time.Time `json:"at"`         // when it has called
	Count     uint64    `json:"count"`      // of such initiations since the start, of all strangers
}

// Reason is why a peer is not up.
type Reason string

const (
	// ReasonNoAnswer: an initiation was not answered. A peer that does not know this host's
	// public key does not answer either.
	ReasonNoAnswer Reason = "no_answer"
	// ReasonNoName: the name of the endpoint does not resolve.
	ReasonNoName Reason = "name_does_not_resolve"
	// ReasonPresharedKey: the peer's answer is not authentic: the preshared keys differ.
	ReasonPresharedKey Reason = "preshared_keys_differ"
	// ReasonNoCipher: the two ends have no cipher in common.
	ReasonNoCipher Reason = "no_cipher_in_common"
	// ReasonNoWay: the host cannot send there: it has no route, or one that leads into the
	// tunnel.
	ReasonNoWay Reason = "no_route"
	// ReasonWaiting: no endpoint is configured, and the peer has not called.
	ReasonWaiting Reason = "peer_has_to_call"
	// ReasonUnused: the peer calls, is answered, and makes no use of it: the preshared keys
	// may differ, or the answers are lost.
	ReasonUnused Reason = "answers_not_used"
	// ReasonClosed: the peer has ended its tunnel.
	ReasonClosed Reason = "closed_by_peer"
)
