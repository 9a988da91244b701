// Package crypto is the key exchange: Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s
// between static X25519 keys that are known beforehand, with an optional
// preshared key. Two messages yield the ESP keys of one SA in each direction.
//
//	initiator                                             responder
//	    │ ── initiation: e, es, s, ss {SPI, time, suites…} ─▶ │
//	    │ ◀── response: e, ee, se, psk {SPI, suite} ───────── │
//	    │ ══ ESP ═══════════════════════════════════════════▶ │  confirms
//
// ChaCha20-Poly1305 and BLAKE2s are fast without hardware support, and two
// messages every two minutes need no more. The messages, without the non-ESP
// marker that stands in front of them on the wire:
//
//	0        1         2          4               8
//	├────────┼─────────┼──────────┼───────────────┤
//	│ type 1 │ version │ reserved │ initiator id  │ initiation
//	│ type 2 │ version │ reserved │ initiator id  │ response
//	├────────┴─────────┴──────────┴───────────────┤
//	│ Noise message: ephemeral, (static,) payload │
//	├─────────────────────────────────────────────┤
//	│ mac1, 16 bytes   │ mac2, 16 bytes           │
//	└─────────────────────────────────────────────┘
//	│ type 3 │ version │ reserved │ initiator id  │ cookie reply
//	│ nonce, 24 bytes  │ sealed cookie, 32 bytes  │
//
//	│ type 4 │ version │ reserved │ initiator id  │ challenge
//	│ nonce, 24 bytes  │ sealed: why, challenge,  │
//	│                  │ reference; 49 bytes      │
//	│ mac1, 16 bytes   │ mac2, 16 bytes           │
//
// A responder checks a message in this order, the cheapest step first:
//
//   - length and type;
//   - mac1, keyed with the responder's public key: a sender that does not know
//     that key gets no answer;
//   - mac2, if the caller is under load: it proves that the sender receives at its
//     address (Proves, or Open if the caller says so);
//   - the Noise message, by public-key work: it yields the sender's static key,
//     which is encrypted on the wire.
//
// An authentic initiation may be a recording. One with a timestamp newer than all
// before it is fresh; that costs nothing, and suffices as long as clocks go
// forward. Where the timestamp leaves doubt, since a clock is or was wrong, the
// responder remembers nothing and sends a challenge, which the initiator returns
// inside the encrypted payload of its next initiation. See ReplayGuard and
// Responder.Accept. Only the two ends can make the key that a challenge is sealed
// with, and it is bound to the mac1 of the initiation: no other can have an
// initiator say anything. A challenge is smaller than what it answers. As many
// initiations are answered by challenges as are read at all, which the caller
// bounds by cookies.
//
// The encrypted payload is a list of type-length-value elements, padded to a
// fixed size. Unknown types are ignored.
//
// The package does no I/O, has no timers, and takes time and randomness as
// arguments. Retries, generations, and which SA is in use belong to package
// tunnel. Suites and generations are opaque numbers here.
package crypto
