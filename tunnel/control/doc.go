// Package control is the codec of the messages that two tunnels exchange
// inside ESP: echoes, probes and their acks, receive reports, challenges of paths and their
// responses, requests for a measurement of the hops and its result, the question how the other end is set
// up and its answer, and close.
//
// A control message travels as the payload of an ESP dummy packet (next
// header 59, RFC 4303 section 2.6), which any other ESP implementation must
// discard in silence. It is therefore encrypted, authenticated and protected
// against replay by the SA that carries it, and on the path it looks like
// data.
//
//	 0                   1                   2                   3
//	+---------------+---------------+---------------+---------------+
//	|      'F'      |      'T'      |      'H'      |    version    |
//	+---------------+---------------+---------------+---------------+
//	|     type      |            length             |   value ...   |
//	+---------------+-------------------------------+---------------+
//	|     type      |            length             |   value ...   |
//	+---------------+-------------------------------+---------------+
//	|  type 0 ends the list: all that follows is padding            |
//	+---------------------------------------------------------------+
//
// A challenge asks for a response by the pair of addresses that it came by, and so
// proves that pair; it also carries decisions about which pair to use. Package
// paths says when one is due. A peer that has not named the feature in the handshake
// gets an echo in its place.
//
// A peer that has named the feature can be asked to measure the hops of its direction
// (package hops). The result comes in parts, each of which fits the smallest path; whoever
// has asked asks again, with the same token, until it has them all. In the same way an end
// tells how it is set up for the one that asks.
//
// Elements of unknown type are skipped, so that a newer peer may say more
// than an older one understands. A payload that does not begin with the magic
// and the version is not ours and is dropped silently.
//
// The package does no I/O and keeps no state. Which message is sent when is
// the business of package tunnel.
package control
