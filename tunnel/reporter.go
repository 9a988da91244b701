package tunnel

import (
	"context"
	"net/netip"
	"time"

	"fathom/tunnel/tun"
	"fathom/tunnel/udp"
)

// reporter answers the status socket of a running tunnel. Any goroutine may
// ask it; what the control goroutine owns it asks that for.
type reporter struct {
	tunnel     *Tunnel
	ctx        context.Context
	controller *controller
	device     *tun.Device
	conn       *udp.Conn
	started    time.Time
}

// status takes a snapshot.
func (r *reporter) status() *Status {
	mtu, _ := r.device.MTU()
	s := &Status{
		Name:      r.tunnel.config.Name,
		Version:   r.tunnel.version,
		PublicKey: r.tunnel.public.String(),
		Listen:    addrStrings(r.conn.Addrs()),
		Addresses: r.tunnel.config.Addresses,
		MTU:       mtu,
		Started:   r.started,
		Offload:   r.offload(),
		Dropped:   r.controller.drops.snapshot(),
	}
	done := make(chan []PeerStatus, 1)
	ask := func(*controller, time.Time) {
		peers := make([]PeerStatus, 0, len(r.tunnel.peers))
		for _, p := range r.tunnel.peers {
			peers = append(peers, p.status())
		}
		done <- peers
	}
	if r.controller.events.deliver(r.ctx, ask) != nil {
		return s
	}
	select {
	case s.Peers = <-done:
	case <-r.ctx.Done():
	}
	return s
}

// offload tells what is in use: of the sockets what all that carry data have.
func (r *reporter) offload() OffloadStatus {
	features := r.device.Features()
	udp := r.conn.Offloads()
	return OffloadStatus{
		Queues: r.device.Queues(), DeviceTCP: features.TCP, DeviceUDP: features.UDP,
		UDPSegment: udp.Segment, UDPGRO: udp.GRO, ReceiveBuffer: udp.ReceiveBuffer, SendBuffer: udp.SendBuffer,
	}
}

// addrStrings formats addresses for people.
func addrStrings(addrs []netip.AddrPort) (list []string) {
	for _, a := range addrs {
		list = append(list, a.String())
	}
	return list
}

func (r *reporter) sound(peer string) (*Sounding, error) {
	return r.controller.sound(r.ctx, peer)
}
