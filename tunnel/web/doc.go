// Package web serves what a running tunnel shows by HTTP: metrics for Prometheus, and a
// page for people.
//
//	GET /          the page: one document, without any other resource
//	GET /events    the status, again and again: server-sent events, for the page
//	GET /status    the document that `fathom status --json` shows
//	GET /history   the document that `fathom history --json` shows: ?peer=NAME&seconds=N
//	GET /metrics   package metrics
//
// # Who may ask
//
// Nobody is asked who he is, and nothing can be changed from here. So the listener is at
// the loopback, or is a Unix socket, whose mode lets its owner and its group in. Package
// conf refuses everything else. A page of another origin that runs in a browser on this
// host gets nothing either: see guard.go. No answer holds a secret, as the status does
// not.
//
// # What a client can cost
//
// Connections and readers of events are few (server.go, stream.go), each step has a time
// limit, and a reader that does not keep up misses events: nobody waits for him. The
// status is taken once for all readers, and not at all without one. What it costs grows
// with the number of peers, so it is taken less often where there are many. All who ask
// for /status and /metrics share one that is up to a second old (recent.go). A few
// histories are put together at once, others wait (few.go), and each is of bounded size.
//
// # The page
//
// Its parts are in the folder page; page.go makes one document of them. It writes text
// into the document as text, never as HTML, and its Content-Security-Policy allows the
// style and the script by their hashes and nothing else.
package web
