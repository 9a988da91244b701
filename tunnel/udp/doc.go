// Package udp sends and receives datagrams in batches, with as few system calls
// as the kernel allows. It does not look into them.
//
//	Outbox ─ sendmmsg, UDP_SEGMENT ─▶ socket ─▶ … ─▶ socket ─ recvmmsg, UDP_GRO ─▶ Inbox
//	                                   └ error queue ─ ICMP ─▶ PTB
//
// # Glossary
//
//	datagram  the payload of one UDP packet
//	run       datagrams of one size to one Destination, with one TOS octet, side by
//	          side in a buffer; the last may be shorter. The kernel cuts a run into
//	          its datagrams (UDP_SEGMENT), or has joined it (UDP_GRO).
//	message   one element of a system call: a run, or where the kernel does not cut,
//	          a datagram
//	batch     the messages of one system call
//
// # Outlets
//
// An outlet is a socket by which data leaves. There is a common one; the others only
// send, and are lent to destinations that would otherwise stop all others. What is
// done about a full socket is in remedy.go, who has which outlet in
// outlets_linux.go, how much may wait in one in gauge.go.
//
// # Refusals
//
// The kernel reports an ICMP error by failing a call that has nothing to do with
// it, and anybody can send ICMP. So an Outbox believes a refusal only when it
// comes twice in a row with nothing in the error queue between: refused_linux.go.
//
// # System calls
//
// sendmmsg and recvmmsg are called raw, by way of syscall.RawConn. The messages of
// golang.org/x/net carry a net.Addr, which costs an allocation a datagram.
package udp
