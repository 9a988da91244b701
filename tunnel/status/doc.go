// Package status shows a running tunnel to other programs: it holds the
// documents, the socket that serves them, and the client that fetches them. The
// tunnel itself is a [Source]; this package knows nothing else of it.
//
// # Protocol
//
// The status socket is a Unix stream socket. A client sends one line, the server
// answers with one line of JSON and closes the connection:
//
//	status        a [Status]
//	probe PEER    a [ProbeReport]: the path to the peer, measured now
//	echo PEER     an [EchoReport]: the peer has answered, now
//
// An answer that is an object with "error" says why there is no document, and maybe
// with "code" for programs: "no_peer", "no_answer" or "shutdown". The
// names in JSON are stable; new ones may join them.
//
// A client that closes the connection ends its request, a probe under way
// included. One that closes only its own direction, as socat does at the end of
// its input, still gets the answer.
//
// The file system decides who may connect: the socket's owner and its group.
package status
