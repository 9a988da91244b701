package crypto

import "errors"

// Reasons to drop a handshake message. None of them spoils the Initiator or
// Responder that returned it: the true message may still come.
var (
	ErrMalformed = errors.New("crypto: malformed handshake message")
	// ErrVersion: the message is of another version of this protocol.
	ErrVersion = errors.New("crypto: handshake message of another version")
	// ErrMAC: the sender does not know our public key.
	ErrMAC = errors.New("crypto: mac1 is wrong")
	// ErrAuth: the message comes from another sender than it claims, was
	// changed on the way, or the preshared keys differ.
	ErrAuth = errors.New("crypto: handshake message is not authentic")
	// ErrNoCommonSuite: the ends share no cipher.
	ErrNoCommonSuite = errors.New("crypto: no suite in common")
	// ErrReplayedInitiation: the initiation is the one that was accepted last.
	ErrReplayedInitiation = errors.New("crypto: initiation is a replay")
	// ErrChallengeRequired: the timestamp does not show that the initiation is
	// fresh; send a FreshnessChallenge.
	ErrChallengeRequired = errors.New("crypto: challenge required")
	// ErrCompleted: the Initiator has already yielded its keys.
	ErrCompleted = errors.New("crypto: handshake is already complete")
)
