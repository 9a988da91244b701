// Package crypto is the key exchange: Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s
// between static X25519 keys that are known beforehand, with an optional
// preshared key. Two messages yield the ESP keys of one SA in each direction.
//
//	initiator                                             responder
//	    │ ── initiation: e, es, s, ss {SPI, time, suites} ──▶ │
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
// The encrypted payload is a list of type-length-value elements, padded to a
// fixed size. Unknown types are ignored.
//
// The package does no I/O, has no timers, and takes time and randomness as
// arguments. Retries, the choice between colliding handshakes, and which SA is
// in use belong to package tunnel. Suites are opaque numbers here.
package crypto
