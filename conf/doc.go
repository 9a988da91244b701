// Package conf reads Fathom's configuration: one TOML file with a [tunnel]
// table and a [[peer]] table for each peer.
//
//	         toml.go, scan.go        value.go
//	bytes ──────> tables ──────────> values ──────────> Config
//	              │ the place of     │ the type of      │ values against
//	              │ every value      │ each, defaults   │ each other
//	              v                  v                  v
//	              not TOML,          unknown keys,      checks.go:
//	              keys that          wrong types,       duplicates, overlaps,
//	              come twice         bad values         routing loops
//	              └──────────────────┴──────────────────┘
//	                                 v
//	              Errors: FILE:LINE: KEY: problem (hint)
//
// A file is judged as a whole: all its mistakes are reported at once, in the
// order of their lines. After a mistake of syntax reading goes on at the next
// line that begins a key or a table. In such a file no key is reported as
// missing: it may stand in the unreadable part. testdata/invalid has a file for
// every kind of mistake, beside the report that it gets.
//
// Errors go to terminals and logs. They never show the content of a key file,
// and redact.go hides whatever else in them looks like a key.
//
// The methods fields of Tunnel and Peer list the keys with type, default and
// example. They drive the decoding, the defaults, the hints and the
// suggestions, and a test holds template.toml against them. A new key is a line
// there, a field in conf.go and a paragraph in the template.
//
// The library, github.com/BurntSushi/toml, checks and decodes the TOML, one
// statement at a time. Its decoder into structs would not do: it stops at the
// first mistake, takes NAME for name, and gives no line for an unknown key. So
// scan.go finds the places of keys and values, and toml.go joins them with the
// library's values. It reads all of TOML 1.0, nested up to a depth that no key
// needs.
//
// # Mistakes in allowed_ips
//
// A packet goes to the peer with the longest matching prefix, and comes from
// it or is dropped. So a longer prefix inside a shorter one of another peer is
// fine: it is an exception. The same prefix at two peers is a mistake, and so
// is a prefix with host bits set, which could mean the host or the network.
//
// When Fathom adds the routes itself (routes = true), allowed_ips must not hold
// the address of any peer's endpoint: the tunnel's own packets would be routed
// into the tunnel. Otherwise the administrator's routes keep them apart.
//
// # What this package does not do
//
// It reads the configuration and the key files and nothing else of the host.
// Package tunnel finds out whether an address is free, a name resolves or a
// device can be made. Sizes are checked against the limits of IP (RFC 791,
// RFC 8200), not against an interface. Keys only need to be possible ones
// (RFC 7748): package crypto judges them by handshakes.
package conf
