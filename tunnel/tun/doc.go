// Package tun opens a TUN device and moves packets between it and the packet
// loops: superpackets where the kernel offers them, single packets elsewhere.
//
//	                    ┌▶ queue 0 ─▶ Reader ─▶ one goroutine
//	host ─▶ interface ──┼▶ queue 1 ─▶ Reader ─▶ one goroutine
//	                    └▶ ...
//	host ◀─ interface ◀─── queue of the flow ◀── any number of Writers
//
// The kernel spreads what the host sends over the queues by flow. A flow leaves
// by the queue that a packet of its other direction was last written to; after
// three seconds without one, by the queue that its hash points to. A Writer
// writes each flow to one queue, so that the packets of a flow keep their order
// in both directions.
//
// A superpacket is up to 64 KiB of TCP or UDP behind one header, with a
// virtio_net_hdr before it (inner.Offload). A device has several queues only
// where it has superpackets.
//
// A device may outlive its process: Device.HandOver gives its queues away, and Adopt
// takes them over. Somebody may delete the interface: Device.Reopen makes it again, and Readers
// and Writers go on with it.
//
// Open works on Linux. Wrap works everywhere, with a device of the library's.
// Addresses, routes and MTU of the interface are the business of package host.
package tun
