// Package tunnel is the engine of Fathom: it moves packets between a TUN
// device and a UDP port, and runs what that needs beside the packets. It and the
// packages below it do all the I/O of a running tunnel: udp is the port, tun the
// device, host the addresses and routes around it, status the socket for other
// programs. Formats, ciphers and decisions come from packages esp, crypto, pmtud
// and conf.
//
// # A packet's walk
//
//	device ─▶ transmitter: inner.Parse ─▶ routes ─▶ forwarder: made to fit, sealed ─▶ outbox ─▶ socket
//	socket ─▶ inbox ─▶ receiver: spiTable ─▶ esp.Inbound.Open ─▶ routes (source) ─▶ coalescer ─▶ device
//	                         ├▶ control messages ─▶ mailbox of the peer ─▶ controller
//	                         └▶ handshake messages ─▶ gate ─▶ opener ─▶ controller
//
// A superpacket from the device is cut straight into the buffer in which it is
// sealed, and leaves with one system call; packets that arrive together are opened
// in place and handed to the host together. A packet loop takes no decision of
// its own. It reads snapshots that the control goroutine publishes
// through atomics: a peer's session (its outbound SA and its path: endpoint,
// PLPMTU, inner MTU), and the table of inbound SAs.
//
// # Goroutines
//
//	goroutine            runs                 owns                         ends when
//	transmitter          one a device queue   its buffers                  the device is closed
//	receiver             one a socket         its buffers                  the socket is closed: see ports
//	controller           one a tunnel         all peers' state             the context is done
//	opener               one a tunnel         its sender                   the controller ends
//	status server        one, two a client    nothing                      the context is done
//	reloader             one a tunnel         what is configured           the context is done
//	web server           one, two a client    its listener, shown status  the context is done
//	host watch           one a tunnel         its netlink socket           Run returns
//	history writer       one a tunnel         its file                     the controller ends
//	name look-up         one a look-up        nothing                      it is answered, or the controller ends
//
// Where the kernel offers superpackets the device has several queues, and each
// address family has several sockets in any case, so that the loops scale with
// the CPUs. The kernel keeps the packets of a flow in one queue, and those of a
// peer in one socket. So one CPU sends a flow, one CPU opens a peer's packets,
// and neither are reordered. There is one exception: the kernel forgets the queue
// of a flow that nothing has answered for three seconds, and a packet may overtake
// another when the flow then changes to another queue. Data leaves through the
// first socket of a family, control messages through the last. Where there are
// several peers, one whose data fills that socket gets one of its own
// (udp.Config.Outlets).
//
// Packet loops speak to the controller through bounded queues of events and
// never wait for it. Each kind of event has its own, and each peer a mailbox; the
// controller takes from them in turn, so that a flood of one kind loses its own:
// events.go. The gate judges handshake messages in the receivers, and the opener
// does their public-key work as far as it needs no peer's state, and waits for the
// controller when that has too many. A transmitter waits while its socket is full, if
// data goes to one peer only; the controller never does. The packets that a transmitter may hold sealed and unsent
// are bounded, so that none falls behind the far end's anti-replay window:
// sender.go.
//
// # SA pairs
//
// Two ends may have several SA pairs at a time. All of them receive; each end
// sends on the highest one that it knows the other has, in an order that both
// know: saset.go, docs/handshake.md.
//
// # Deadlines
//
// An event changes the state of a peer; attend then does the due work for that
// peer, and each of its concerns says when it is due next: deadlines.go. The
// agenda knows whose turn is first, so a hub pays for the work that is due, not
// for the number of its peers. While packets flow to or from a peer it is looked
// at every tick. An idle peer is left alone: the next data packet sent to it
// raises an event. So silence, enough packets for a rekey, and the need of a
// keepalive are noticed within a tick, without work on the data path.
//
// Where many peers are due at once, at a start or after a change of the host, a
// few are attended to at a time, and the events that wait meanwhile come between:
// controller.go. Initiations leave a millisecond apart: initiations.go.
//
// # Sizes
//
// A PLPMTU counts bytes of the outer IP packet; an inner MTU counts bytes of
// the inner packet. Package esp alone converts between them. Package pmtud
// decides the PLPMTU of each path to a peer; discovery.go feeds it and applies the result
// for the path in use, standbys.go keeps the others,
// and path.go is where the packet loops read the result. forward.go is the one
// place that decides the fate of a packet above the inner MTU.
package tunnel
