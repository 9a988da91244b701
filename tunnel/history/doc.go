// Package history is what a tunnel remembers of its peers: what flowed, by the
// minute, and what happened. It makes records of what it is shown, encodes them for a
// file, keeps a bounded number in memory, and lays them out along a time line.
//
//	View ─▶ Observer ─▶ Record ─▶ Append ─▶ file, Log ─▶ Decode ─▶ Align ─▶ Timeline
//
// # The format
//
// A history is a sequence of frames, and nothing else:
//
//	┌──────┬────────┬──────────────────┬─────────┐
//	│ 0xf1 │ length │ CRC-32C, 4 bytes │ payload │
//	└──────┴────────┴──────────────────┴─────────┘
//
// The length is that of the payload, at most 255 bytes; the checksum, big-endian, is of
// the length and the payload. So a reader finds the next frame behind whatever is
// damaged, such as one that was torn by a power cut, and behind any other content. A
// payload is the kind, the time and the peer's name, then the fields of that kind: varints
// and strings with their length. Fields that a reader does not know stand at the end, and
// those that a writer did not know are zero. An unknown kind is passed over.
//
// # Time
//
// Records bear the time of the wall clock, in milliseconds. Durations are measured by a
// clock that nobody sets. When the wall clock is set, a record says by how much, and
// Align moves what stands before it to where the clock of today would have put it.
//
// The package does no I/O, and time is an argument.
package history
