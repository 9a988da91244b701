// Package esp is the packet format: ESP in tunnel mode (RFC 4303) inside UDP
// (RFC 3948), sealed with AES-256-GCM (RFC 4106) or ChaCha20-Poly1305
// (RFC 7634), and the anti-replay window.
//
//	0               4               8                              16
//	┌───────────────┬───────────────┬──────────────────────────────┐
//	│ SPI           │ sequence      │ IV: the packet counter       │
//	├───────────────┴───────────────┴──────────────────────────────┤
//	│ payload ▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒ │
//	│ ▒▒▒▒▒▒▒▒▒▒▒ padding 1,2,3… │ pad length │ next header ▒▒▒▒▒▒ │
//	├──────────────────────────────────────────────────────────────┤
//	│ ICV, 16 bytes                                                │
//	└──────────────────────────────────────────────────────────────┘
//
// ▒ is encrypted; SPI and sequence number are authenticated with it (AAD).
// The nonce is the SA's salt followed by the IV, so it is unique as long as
// the sequence number is. Sequence numbers have 32 bits and never wrap: an SA
// ends before that and is replaced long before it ends, so that extended
// sequence numbers are not needed.
//
// The package does no I/O. It does not know where keys come from (package
// crypto), what a dummy packet carries (tunnel/control), or which size a path
// allows; it only converts between the sizes of inner and outer packets.
package esp
