// Package inner is the surgery on inner packets: it makes them fit. Bytes in,
// bytes out; no I/O, no goroutine, no clock of its own.
//
//	too large for one outer packet?
//	  TCP                       Cutter       cut as TSO would           RFC 9293
//	  UDP superpacket           Cutter       at the sender's gso_size
//	  IPv4 without DF           Fragmenter   IPv4 fragments             RFC 791
//	  anything else             Splitter     tunnel fragments           RFC 9347
//	                            AppendPTB    and the sender is told     RFC 1191, 8201
//	on the way in
//	  tunnel fragments          Reassembler
//	  segments of a flow        Coalescer    superpackets for the host
//	on both ways
//	  SYN                       ClampMSS                                RFC 9293
//	  ECN, DSCP                 Encapsulate, Decapsulate                RFC 6040, 2983
//
// A superpacket is what the TUN device hands over with a virtio_net_hdr
// (Offload): up to 64 KiB of TCP or UDP payload behind one header.
//
// No surgery makes a good packet out of a bad one: damaged packets are not cut,
// and fragments of which one is missing are never joined with those of another
// packet. The pieces are, byte for byte, those that Linux makes of the same
// packet; the tests compare the two.
//
// TTL and hop limit are left alone: the tunnel is a link, and the two hosts
// decrement them when they forward into and out of it, as any router does
// (RFC 4301 section 5.1.2 has the same result).
//
// Which of these is applied when, and to which size, is decided in package
// tunnel.
package inner
