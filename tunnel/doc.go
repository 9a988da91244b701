// Package tunnel is the engine of Fathom: it moves packets between a TUN
// device and a UDP port, and runs what that needs beside the packets. It does
// all the I/O; formats, ciphers and decisions come from packages esp, crypto
// and conf.
//
// # A packet's walk
//
//	TUN device ─▶ transmitter: parseInner ─▶ routes ─▶ path.innerMTU ─▶ sender ─▶ udpSockets
//	udpSocket  ─▶ receiver: esp.Classify ─▶ spiTable ─▶ esp.Inbound.Open ─▶ routes (source) ─▶ TUN device
//	                      └▶ handshake and control messages ─▶ controller
//
// A packet loop takes no decision of its own. It reads snapshots that the
// control goroutine publishes through atomics: a peer's outbound SA, its path
// (endpoint, PLPMTU, inner MTU), and the table of inbound SAs.
//
// # Goroutines
//
//	goroutine            runs                 owns                         ends when
//	transmitter          one a tunnel         its buffers                  the device is closed
//	receiver             one a socket         its buffers                  the socket is closed
//	controller           one a tunnel         all peers' state             the context is done
//	status server        one a tunnel         nothing                      its listener is closed
//	name look-up         one a look-up        nothing                      it is answered, or in time
//
// Packet loops speak to the controller through a bounded queue of events and
// never wait for it.
//
// # Sizes
//
// A PLPMTU counts bytes of the outer IP packet; an inner MTU counts bytes of
// the inner packet. Package esp alone converts between them, and path.go is
// the one place where a peer's inner MTU is decided. Here the PLPMTU is fixed:
// the configuration's, or the MTU of the interface towards the peer.
package tunnel
