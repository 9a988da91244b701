package tunnel

import (
	"fmt"

	"fathom/conf"
	"fathom/tunnel/host"
	"fathom/tunnel/tun"
	"fathom/tunnel/udp"
)

// Here is what a configuration asks the host for: the device, the sockets, addresses
// and routes.

// tellOfSockets logs the buffers and offloads that the kernel has granted.
func (t *Tunnel) tellOfSockets(conn *udp.Conn) {
	o := conn.Offloads()
	if why := conn.NoOutlets(); why != nil {
		t.log.Warn("a slow peer may hold up the others", "error", why)
	}
	t.log.Debug("sockets", "addresses", conn.Addrs(), "receive_buffer", o.ReceiveBuffer, "send_buffer", o.SendBuffer, "gso", o.Segment, "gro", o.GRO)
	if o.ReceiveBuffer < udp.DefaultReceiveBuffer/2 {
		t.log.Warn("small receive buffer of the sockets: bursts may be lost", "receive_buffer", o.ReceiveBuffer, "hint",
			fmt.Sprintf("run with CAP_NET_ADMIN, or set net.core.rmem_max to %d", udp.DefaultReceiveBuffer))
	}
}

// maxOutlets bounds the sockets of an address family that only send.
const maxOutlets = 32

// udpConfig asks for as many sockets as the device has queues, and for one that
// the controller has to itself: see udp.OutboxConfig.Wait. A peer that has no
// others beside it needs no outlet of its own, but a reload may bring one.
func (t *Tunnel) udpConfig(mark uint32) udp.Config {
	return udp.Config{
		Mark:         mark,
		DontFragment: t.config.OuterDF != conf.OuterDFClear,
		Offload:      t.config.Offload != conf.OffloadOff,
		Sockets:      max(2, t.queues()),
		Outlets:      min(2*max(len(t.peers)-1, 1), maxOutlets),
		Company:      t.company,
	}
}

// maxQueues bounds the queues where the configuration leaves their number open.
const maxQueues = 8

// queues returns how many queues the device is to have, if it can.
func (t *Tunnel) queues() int {
	switch {
	case t.config.Offload == conf.OffloadOff:
		return 1 // as tun.Config says
	case t.config.Queues > 0:
		return t.config.Queues
	}
	return min(t.processors, maxQueues)
}

// deviceConfig asks for superpackets, unless the configuration refuses them.
func (t *Tunnel) deviceConfig() tun.Config {
	return tun.Config{Offload: t.config.Offload != conf.OffloadOff, Queues: t.queues()}
}

// logDevice logs the features that the kernel has not granted.
func (t *Tunnel) logDevice(d *tun.Device) {
	switch {
	case t.config.Offload == conf.OffloadOff:
	case !d.Features().TCP:
		t.log.Info("no segmentation offload on the TUN device: packets go one by one", "name", t.config.Name)
	case d.Queues() < t.queues():
		t.log.Info("the TUN device takes one queue only", "name", t.config.Name)
	}
}

// deviceGSOMaxSize is the largest superpacket that the host is to make, in
// bytes: with the overhead of its pieces it fits one run of the outbox, at
// the common MTUs. A larger one would cost a second system call for its last
// pieces.
const deviceGSOMaxSize = 60000

// hostConfig is the state of the host before the paths of the peers are known.
func (t *Tunnel) hostConfig(device *tun.Device) host.Config {
	return host.Config{
		Addresses: t.config.Addresses, MTU: firstDeviceMTU(t.config), GSOMaxSize: deviceGSOMaxSize,
		Remake: t.remakeDevice(device), KeepGuards: t.config.OnStop == conf.OnStopBlock,
		Mark: t.config.FwMark, Table: t.config.Table, Defaults: t.defaults,
		Saved: savedMark(t.config),
	}
}
