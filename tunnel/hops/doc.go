// Package hops finds the router that swallows packets: how far probes of several sizes
// get on the way to a peer.
//
//	Time Exceeded, PTBs, acks, time ──▶ Measurement ──▶ probes to send: a TTL and a size
//	                                         └────────▶ Deadline, Report
//
// A probe with TTL k (IPv6: hop limit) ends at hop k, whose router says so with a Time
// Exceeded that quotes the probe. So the probe has got that far, whatever its size. A
// probe that is too large for a link in between is told by a PTB, or vanishes. All
// sizes are bytes of the outer IP packet.
//
// # What an answer means
//
//	Time Exceeded of TTL k      the size gets to hop k, and to all before it
//	ack of the peer             the size gets to the peer; of TTL k, the peer is at hop k or before
//	PTB, by a router known      the size gets to that router and not beyond
//	PTB, by one that is not     the router is the hop before the least TTL that is told so
//	none, though a smaller      the size does not get to that hop, if that is so three
//	  probe is answered         times (evidence.go)
//
// The larger probes of a fan leave first. A router that limits how many messages it
// sends, as all do, answers those rather than the small one, which so proves that it
// would have answered. Linux sends six Time Exceeded at once to one host, and then one
// a second: where one link is narrow, a measurement asks a router for no more than
// that. Who measures twice in a row, or over IPv6 beside others, meets routers that have
// no answer left for the moment. So a hop that has never answered is asked over more than
// a second, and is asked for what tells most first.
//
// # Which probes leave
//
// In fans, until nothing is unknown (plan.go). Each ends with a small probe of the TTL
// of data, whose ack tells that the others have had their time.
//
//	small probes     of each TTL, up to three times in 1.1 s where no answer comes, eight
//	                 more hops a fan until the peer is found
//	the largest      of each TTL, likewise
//	the search       at the first hop that it does not get to: sizes that a PTB or the
//	                 caller has told, or that split what is possible, until the next
//	                 larger size fails
//	the size found   of each TTL behind, and so on to the peer
//
// # The result
//
// The size that gets to each hop falls from hop to hop. Where it falls, between two
// hops that answer, is a Place. Routers between them that never answer may be at
// fault as well.
//
// # Limits
//
// A measurement has at most 400 probes and 32 KiB a fan, and lasts 8 s at most, if the
// network limits answers or has long round trips. A router that quotes less than the
// UDP header and eight bytes cannot be told from others, and stays unknown. So does one
// whose answers another on the way drops. Routes are taken to stay as they are.
//
// The package does no I/O, starts no goroutine and reads no clock.
package hops
